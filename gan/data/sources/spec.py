"""What a user points at, and what can be seen to be wrong with it before anything is read."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from gan.configuration.arguments import require_no_credentials
from gan.configuration.vocabulary import SourceKind
from gan.errors import DatasetError

AUTO = "auto"
NO_LABELS = "none"
KINDS = (AUTO, *get_args(SourceKind))


@dataclass(frozen=True)
class Asked:
    """How a person says that a folder of images is to be read, where its names do not tell.

    Attributes:
        classes_from: which part of an image's path is its class: the number of a folder, 1 for the first, -1 for the
            one that it lies in; a regular expression, whose first group it is; or `none`: there are no classes.
        split_from: which part of a path is its split, in the same ways; it must be a name such as `train`.
        train: a pattern of the paths of images to train on; `*` stands for anything, slashes too.
        test: a pattern of the paths of images to hold out.
        exclude: patterns of paths that are left out.
        label_column: the column of a file of labels, or of Parquet files of images, that holds them.
        path_column: the column of a file of labels that holds the paths.
    """

    classes_from: str | None = None
    split_from: str | None = None
    train: str | None = None
    test: str | None = None
    exclude: tuple[str, ...] = ()
    label_column: str | None = None
    path_column: str | None = None

    def given(self) -> dict[str, str | tuple[str, ...]]:
        """Return what was said, by its name."""
        return {name: value for name, value in vars(self).items() if value}

    def texts(self) -> tuple[str, ...]:
        """Return every text that was said."""
        return tuple(text for value in self.given().values() for text in ([value] if isinstance(value, str) else value))

    def options(self) -> str:
        """Return the options by which it was said."""
        return ", ".join(f"--{name.replace('_', '-')}" for name in self.given())

    @property
    def is_label_column(self) -> bool:
        """Whether nothing was said but where labels stand."""
        return self.given().keys() == {"label_column"}

    def require(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            DatasetError: a part of a path is no number and no regular expression, or a split is said in two ways.
        """
        if self.split_from and (self.train or self.test):
            raise DatasetError("--split-from and --train or --test both say what is held out: give one of them")
        if self.classes_from and (self.label_column or self.path_column):
            raise DatasetError("--classes-from and --label-column both say what the classes are: give one of them")
        for option, rule in (("--classes-from", self.classes_from), ("--split-from", self.split_from)):
            if rule and not (rule == NO_LABELS and option == "--classes-from"):
                path_rule(rule, option)


NOTHING_ASKED = Asked()


def path_rule(rule: str, option: str) -> int | re.Pattern[str]:
    """Return the number of a folder, or the regular expression, that finds something in a path.

    Raises:
        DatasetError: it is neither.
    """
    if re.fullmatch("-?[0-9]{1,3}", rule):
        if int(rule):
            return int(rule)
        raise DatasetError(f"{option} 0 names no folder: count from 1, or from -1 for the one that an image lies in")
    try:
        found = re.compile(rule)
    except (re.error, OverflowError, RecursionError) as error:
        raise DatasetError(f"{option} «{rule[:80]}» is neither a number nor a regular expression ({error})") from None
    if found.groups > 1:
        raise DatasetError(f"{option} «{rule[:80]}» has {found.groups} groups: mark the part that is meant with one")
    return found


@dataclass(frozen=True)
class SourceSpec:
    """What a user points at.

    Attributes:
        spec: `digits`, a folder, a zip or tar, a file of Parquet, NumPy, LMDB or pixels in CSV, a URL of one of these,
            or a Hugging Face dataset's name.
        kind: one of `KINDS`; `auto` tells it by what is found.
        labels: a CSV or JSON file of labels for a folder of images, or `none`: subfolders are classes whatever file of
            labels lies there; without it a well-known one is looked for.
        background: RGB under transparent pixels.
        asked: how a folder of images is to be read.
    """

    spec: str
    kind: str = AUTO
    labels: str | None = None
    background: tuple[int, int, int] = (255, 255, 255)
    asked: Asked = NOTHING_ASKED

    def require(self) -> None:
        """Refuse at once what can be seen to be wrong without reading anything.

        Raises:
            DatasetError: the kind is unknown, or there is nothing at the path.
            InputError: an address carries a credential.
        """
        require_no_credentials(self.spec, self.labels, *self.asked.texts())
        self.asked.require()
        if self.asked.classes_from and self.labels not in {None, NO_LABELS}:
            raise DatasetError("--labels and --classes-from both say what the classes are: give one of them")
        if self.asked.label_column and self.labels == NO_LABELS:
            raise DatasetError("--labels none says that there are no labels, --label-column where: give one of them")
        kinds = {AUTO, "folder", *(("parquet", "huggingface") if self.asked.is_label_column else ())}
        if self.asked.given() and (self.spec == "digits" or self.kind not in kinds):
            raise DatasetError(f"{self.asked.options()} is for folders of images, and {self.spec[:200]!r} is none")
        if self.kind not in KINDS:
            raise DatasetError(f"there is no source kind «{self.kind}»: choose one of {', '.join(KINDS)}")
        if self.labels is not None and self.labels != NO_LABELS and not _is_file(self.labels):
            raise DatasetError(f"there is no file of labels at {self.labels[:200]!r}: correct --labels")
        if self.spec != "digits" and self.kind not in {"digits", "huggingface"} and "://" not in self.spec:
            existing(self.spec)


def _is_file(path: str) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def existing(spec: str) -> Path:
    """Return the path that a source names.

    Raises:
        DatasetError: there is nothing.
    """
    try:
        path = Path(spec).expanduser()
        if path.exists():
            return path
    except (OSError, ValueError, RuntimeError) as error:
        raise DatasetError(f"{spec!r} cannot be read ({error}): check its name and permissions") from None
    raise DatasetError(
        f"there is nothing at {spec}: give `digits`, the path of a folder, archive or Parquet file, a URL, or with "
        "`--source-kind huggingface` the name of a dataset"
    )
