"""Where images come from: the records that a source yields, and `open_source`, which finds the source by its name."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gan.errors import DatasetError

SourceKind = Literal["digits", "folder"]
UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One image as the source has it.

    Attributes:
        path: its name within the source, relative, with `/` between parts.
        label: index into `Source.class_names`, or -1 for none.
        pixels: `[H, W, C]` uint8; C is 1 where the image is grey (an RGB image with R = G = B is grey too), else 3.
    """

    path: str
    label: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Reject:
    """One file that was expected to be an image and is none.

    Attributes:
        path: its name within the source.
        reason: why, in a few words that many files share, so that rejects can be counted by it.
        detail: what is particular to this file, or nothing.
    """

    path: str
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        """Return `path: reason (detail)`."""
        return f"{self.path}: {self.reason} ({self.detail})" if self.detail else f"{self.path}: {self.reason}"


class Source(Protocol):
    """Images in a stable order; iterating twice gives the same."""

    @property
    def name(self) -> str:
        """What the dataset is called after it."""
        ...

    @property
    def kind(self) -> SourceKind:
        """Which sort of source this is."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names by label; empty where images have no labels."""
        ...

    def __len__(self) -> int:
        """Return how many records iterating gives, rejects included."""
        ...

    def __iter__(self) -> Iterator[SourceImage | Reject]:
        """Decode and yield one image, or why there is none, at a time."""
        ...


def open_source(spec: str) -> Source:
    """Open the source called `spec`.

    Args:
        spec: `digits` (scikit-learn's 8x8 digits), or a folder of images with one subfolder per class; a folder without
            subfolders is one set without labels. A folder called digits is `./digits`.

    Raises:
        DatasetError: the path does not exist, is no folder, or holds no image file.
    """
    # Both modules import this one for its records, and scikit-learn is slow to load.
    if spec == "digits":
        from gan.data.digits import DigitsSource

        return DigitsSource()
    from gan.data.image_folder import FolderSource

    root = Path(spec).expanduser()
    try:
        if not root.exists():
            raise DatasetError(f"there is nothing at {spec}: give the word `digits` or the path of a folder of images")
        if not root.is_dir():
            raise DatasetError(f"{spec} is a file: give the folder that holds the images, one subfolder per class")
        return FolderSource(root)
    except (OSError, ValueError) as error:
        raise DatasetError(f"the folder {spec!r} cannot be read ({error}): check its name and permissions") from None
