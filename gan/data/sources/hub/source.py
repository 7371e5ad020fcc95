"""A Hugging Face dataset by its name, copied through the library `datasets` to Parquet and read from there."""

import errno
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gan.data.files.blob import UnreadableError
from gan.data.files.tree import Tree, printable
from gan.data.sources.hub.copy import copy_split, library
from gan.data.sources.parquet.source import ParquetSource
from gan.errors import DatasetError, GanflowError, ResourcesError, ServiceError
from gan.text.credentials import bare_address
from gan.text.shown import reason_of

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_ANSWER_SECONDS = 10


class HubName(NamedTuple):
    """What names a dataset: a repository or a local folder, one of its configurations, and a revision."""

    name: str
    config: str | None
    revision: str | None


def parse_hub_name(text: str) -> HubName:
    """Take `org/name:config@revision` apart; a folder that is there is a name too.

    Raises:
        DatasetError: no dataset can be called so.
    """
    folder, _, config = text.rpartition(":")
    for path, its_config in ((text, ""), (folder, config)):
        if path and _is_folder(path):
            return HubName(os.path.abspath(os.path.expanduser(path)), its_config or None, None)
    rest, _, revision = text.removeprefix("hf://").removeprefix("datasets/").partition("@")
    name, _, config = rest.partition(":")
    if not _NAME.fullmatch(name) or "/" in config:
        raise DatasetError(
            f"{text!r} names no Hugging Face dataset: write organisation/name, with :configuration and @revision after "
            "it if need be"
        )
    return HubName(name, config or None, revision or None)


def _is_folder(path: str) -> bool:
    try:
        return os.path.isdir(os.path.expanduser(path))
    except ValueError:  # a user whose name no machine can have
        return False


def open_hub(
    name: str,
    background: tuple[int, int, int],
    scratch: Path,
    *,
    config: str | None = None,
    use_labels: bool = True,
    label_column: str | None = None,
) -> ParquetSource:
    """Open a dataset of the Hugging Face hub, or a local folder as `datasets` understands it.

    Images, labels and splits are found as in Parquet files. No code of the dataset is run. What was fetched stays in
    the library's own cache; a token is taken from where `hf auth login` has put it.

    Args:
        name: `organisation/name`, with `:configuration` and `@revision` if need be, or a folder.
        background: RGB under transparent pixels.
        scratch: folder for the Parquet copy, one file per split; a later run finds it again.
        config: the configuration, where the name does not have it.
        use_labels: whether a column of labels is taken.
        label_column: which, where somebody has named it.

    Returns:
        A source of the kind `huggingface`.

    Raises:
        DatasetError: `datasets` is not installed, or the dataset cannot be had or has no images.
        ResourcesError: the disk is too full for it.
        ServiceError: the hub does not answer.
    """
    wanted = parse_hub_name(name)
    wanted = wanted._replace(config=wanted.config or config)
    try:
        with _quiet():
            splits = _load(wanted)
            entries = [
                copy_split(split, rows, wanted, scratch, label_column) for split, rows in splits.items() if len(rows)
            ]
    except GanflowError:
        raise
    except UnreadableError as error:
        raise DatasetError(
            f"the Hugging Face dataset {name} cannot be used ({error.reason}: {error.detail}): give one of images"
        ) from None
    except Exception as error:  # the library, the network and each format have errors of their own
        raise _explained(name, wanted, error) from None
    if not entries:
        raise DatasetError(f"the Hugging Face dataset {name} has no rows: give another configuration or dataset")
    short = printable(wanted.name.rstrip("/").rsplit("/", 1)[-1])
    tree = Tree(short, name, tuple(entries))
    source = ParquetSource(tree, background, scratch, use_labels=use_labels, label_column=label_column)
    source.kind = "huggingface"
    return source


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's progress bars and warnings off the terminal."""
    datasets = library()
    from huggingface_hub import utils as hub

    bars = [each for each in (datasets, hub) if not each.are_progress_bars_disabled()]
    level = datasets.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in bars:
            each.disable_progress_bars()
        datasets.logging.set_verbosity_error()
        try:
            yield
        finally:
            datasets.logging.set_verbosity(level)
            for each in bars:
                each.enable_progress_bars()


def _load(wanted: HubName) -> dict[str, Any]:
    datasets = library()
    name, config, revision = wanted
    if os.path.isabs(name):
        if any(Path(name, file).is_file() for file in ("dataset_dict.json", "state.json")):
            saved = datasets.load_from_disk(name)
            return saved if isinstance(saved, dict) else {"train": saved}
    elif not datasets.config.HF_HUB_OFFLINE:
        _require_answer(name)
    loaded = datasets.load_dataset(name, config, revision=revision)
    assert isinstance(loaded, dict)
    return loaded


def _require_answer(name: str) -> None:
    """Ask the hub once, for the library asks it many times over half a minute."""
    from huggingface_hub import get_session

    endpoint = library().config.HF_ENDPOINT
    try:
        get_session().head(endpoint, timeout=_ANSWER_SECONDS)
    except Exception as error:  # of whichever library makes the connection
        raise ServiceError(
            f"the Hugging Face dataset {name} cannot be fetched, for {bare_address(endpoint)} does not answer "
            f"({type(error).__name__}): check the network, or set HF_HUB_OFFLINE=1 if it was fetched before"
        ) from None


def _explained(name: str, wanted: HubName, error: Exception) -> GanflowError:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return ResourcesError(f"the disk is too full to fetch the Hugging Face dataset {name}: free some space")
    advice = "look at its page on the hub, or give it as files"
    if isinstance(error, library().exceptions.DatasetNotFoundError):
        advice = "correct its name, or if it is private or gated ask for access on its page and run `hf auth login`"
    elif isinstance(error, ConnectionError):
        advice = "check the network"
    elif "onfig name is missing" in str(error) or "BuilderConfig" in str(error):
        advice = f"name one of its configurations, as in {wanted.name}:configuration"
    if isinstance(error, library().exceptions.DatasetGenerationError):  # which says nothing by itself
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error
    return DatasetError(f"the Hugging Face dataset {name} cannot be loaded ({reason_of(error, 300)}): {advice}")
