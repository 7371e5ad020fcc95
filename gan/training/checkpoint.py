"""Checkpoints: a folder of tensors and one JSON header, complete exactly when its hash list says so."""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from gan.configuration.vocabulary import TRAINING_SECTIONS
from gan.data.files.digest import file_sha256
from gan.errors import CheckpointError

FORMAT_VERSION = 2
TENSORS = "tensors.pt"
HEADER = "header.json"
HASHES = "sha256.json"
KEEP = 2
SHAPE_KEYS = ("channels", "num_classes")
"""What of the dataset shapes the networks."""


_TYPES = {"config": dict, "choice": dict, "class_names": list, "cur_nimg": int, "num_classes": int, "channels": int}


class HeaderError(CheckpointError):
    """A header that is damaged, or that no ganflow wrote."""


class _Header(dict[str, Any]):
    """A header as it was read, in which a key may be missing."""

    def __missing__(self, key: str) -> Any:
        raise HeaderError(f"a checkpoint's header says no {key}, so no ganflow wrote it: name another checkpoint")


def save_checkpoint(folder: Path, header: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Write a checkpoint into an existing folder; the hash list comes last and makes it whole.

    Args:
        folder: an existing folder of its own, under a temporary name.
        header: JSON-able facts: cur_nimg, config and its hash, dataset md5, what the run chose.
        tensors: nested dicts and lists of tensors and numbers (state dicts of networks and optimizers).
    """
    torch.save(tensors, folder / TENSORS)
    (folder / HEADER).write_text(
        json.dumps({"format_version": FORMAT_VERSION} | header, indent=2, sort_keys=True) + "\n"
    )
    hashes = {name: file_sha256(folder / name) for name in (HEADER, TENSORS)}
    (folder / HASHES).write_text(json.dumps(hashes, indent=2) + "\n")


def is_complete(folder: Path) -> bool:
    """Say whether every file that the hash list names is there with the hash that it gives."""
    try:
        hashes = json.loads((folder / HASHES).read_text())
        return set(hashes) == {HEADER, TENSORS} and all(file_sha256(folder / name) == hashes[name] for name in hashes)
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def load_header(folder: Path) -> dict[str, Any]:
    """Read a checkpoint's header, having checked that the checkpoint is whole.

    Raises:
        CheckpointError: the folder is no complete checkpoint, or its format is newer than this code.
    """
    if not is_complete(folder):
        raise CheckpointError(
            f"{folder} is no complete checkpoint: name a folder that holds {HASHES}, {HEADER}, {TENSORS}"
        )
    return parse_header((folder / HEADER).read_bytes(), str(folder))


def parse_header(text: str | bytes, name: str) -> dict[str, Any]:
    """Read the text of a header that lies alone, away from its tensors.

    Args:
        text: what the file holds.
        name: what the checkpoint is called in the sentence.

    Raises:
        HeaderError: it is damaged; so does each access to a key that it lacks.
        CheckpointError: its format is not this code's.
    """
    try:
        header = _Header(json.loads(text))
        found = header["format_version"]
    except (ValueError, TypeError, RecursionError):
        raise HeaderError(f"the header of {name} is damaged: name another checkpoint") from None
    if found != FORMAT_VERSION:
        raise CheckpointError(
            f"{name} has checkpoint format {str(found)[:20]} but this ganflow reads {FORMAT_VERSION}: use the version "
            "that wrote it"
        )
    wrong = [key for key, kind in _TYPES.items() if not isinstance(header.get(key, kind()), kind)]
    if not wrong and not all(isinstance(each, str) for each in header.get("class_names", [])):
        wrong = ["class_names"]
    if not wrong and not isinstance(header.get("config", {}).get("network", {}), dict):
        wrong = ["config.network"]
    if wrong:
        raise HeaderError(f"the header of {name} says nothing sensible as {wrong[0]}: name another checkpoint")
    return header


def load_tensors(folder: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint's tensors onto a device; nothing is unpickled but tensors and plain containers.

    Raises:
        CheckpointError: the file holds more than those, and so might run code of whoever wrote it, or is damaged.
    """
    try:
        tensors: dict[str, Any] = dict(torch.load(folder / TENSORS, map_location=device, weights_only=True))
    except Exception as error:  # on hostile files its reader raises nearly any type
        raise CheckpointError(
            f"{folder / TENSORS} is damaged, or holds more than tensors ({type(error).__name__}), and was not loaded: "
            "name another checkpoint, and ask who may write to this one"
        ) from None
    return tensors


def restore_part(part: Any, tensors: Mapping[str, Any], name: str, folder: Path) -> None:
    """Give a network or an optimizer the state that a checkpoint has for it.

    Raises:
        CheckpointError: there is none, or it is of other shapes than the header says.
    """
    try:
        part.load_state_dict(tensors[name])
    except Exception as error:  # whatever PyTorch makes of a state that does not fit
        raise CheckpointError(
            f"{folder / TENSORS} has no {name} as its header describes it ({type(error).__name__}): name another "
            "checkpoint"
        ) from None


def write_checkpoint_folder(parent: Path, cur_nimg: int, write: Callable[[Path], None]) -> Path:
    """Make `parent/checkpoint-<cur_nimg>` by `write`, all or nothing, and keep the last two."""
    parent.mkdir(parents=True, exist_ok=True)
    for killed in parent.glob(".partial-*"):
        shutil.rmtree(killed, ignore_errors=True)
    final = parent / f"checkpoint-{cur_nimg:012d}"
    partial = parent / f".partial-{uuid.uuid4().hex}"
    partial.mkdir()
    try:
        write(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if final.exists():
        shutil.rmtree(final)
    os.replace(partial, final)
    for old in sorted(parent.glob("checkpoint-*"))[:-KEEP]:
        shutil.rmtree(old)
    return final


def newest_complete(newest_first: Iterable[Path], on_warning: Callable[[str], None]) -> Path | None:
    """Return the first complete checkpoint, or None; where others were passed over, a warning names them."""
    broken: list[str] = []
    found = None
    for folder in newest_first:
        if is_complete(folder):
            found = folder
            break
        broken.append(folder.name)
    if broken:
        instead = f"training goes on from {found.name}" if found else "no other is left"
        on_warning(f"{', '.join(broken)} is cut short or altered: {instead}")
    return found


def shaping(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a header shapes a training: two runs that agree in it are one and can go on as each other."""
    config = {section: header["config"].get(section) for section in TRAINING_SECTIONS}
    return config | {key: header.get(key) for key in ("warm_start", "dataset_md5", *SHAPE_KEYS, "class_names")}


def first_difference(found: Any, wanted: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Return the first key, in the order of `wanted`, where two JSON trees differ, and its values; None: they agree."""
    if not (isinstance(found, dict) and isinstance(wanted, dict)):
        return None if found == wanted else (path, found, wanted)
    for key in [*wanted, *(key for key in found if key not in wanted)]:
        difference = first_difference(found.get(key), wanted.get(key), f"{path}.{key}" if path else key)
        if difference:
            return difference
    return None
