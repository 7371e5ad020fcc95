"""What a user points at, and what can be seen to be wrong with it before anything is read."""

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
class SourceSpec:
    """What a user points at.

    Attributes:
        spec: `digits`, a folder, a zip or tar, a file of Parquet, NumPy, LMDB or pixels in CSV, a URL of one of these,
            or a Hugging Face dataset's name.
        kind: one of `KINDS`; `auto` tells it by what is found.
        labels: a CSV or JSON file of labels for a folder of images, or `none`: subfolders are classes whatever file of
            labels lies there; without it a well-known one is looked for.
        background: RGB under transparent pixels.
    """

    spec: str
    kind: str = AUTO
    labels: str | None = None
    background: tuple[int, int, int] = (255, 255, 255)

    def require(self) -> None:
        """Refuse at once what can be seen to be wrong without reading anything.

        Raises:
            DatasetError: the kind is unknown, or there is nothing at the path.
            InputError: an address carries a credential.
        """
        require_no_credentials(self.spec, self.labels)
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
