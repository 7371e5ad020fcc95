"""Images of one size on disk instead of in memory, with the digest that names them together."""

import hashlib
import math
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from gan.data.building.encode import digests
from gan.data.files.unpack import require_space

_BLOCK_BYTES = 2**24


class ImageStore:
    """Images appended to a file without a name, which is gone as soon as nothing maps it.

    They are grey as long as all are; from the first coloured one on, grey ones are kept as RGB. Used in a `with`.

    Args:
        scratch: folder on a disk of this machine.
        where: what the images come from, for messages.
        total: how many will come, by which the disk is judged.
    """

    def __init__(self, scratch: Path, where: str, total: int) -> None:
        self._scratch, self._where, self._total = scratch, where, total
        self._file: IO[bytes] | None = None
        self._digests: list[bytes] = []
        self.shape: tuple[int, ...] = ()  # of an image, (H, W, C)

    def __enter__(self) -> "ImageStore":
        """Return the store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; what is mapped stays."""
        if self._file:
            self._file.close()

    def __len__(self) -> int:
        """Return how many images are there."""
        return len(self._digests)

    def append(self, images: NDArray[np.uint8]) -> None:
        """Add `[n, H, W, C]` uint8 images, C 1 or 3, of the height and width of those before.

        Raises:
            ResourcesError: the disk is too full for all that will come.
        """
        channels = images.shape[3]
        if not self.shape:
            self._begin(images.shape[1:])
        elif channels > self.shape[2]:
            self._make_rgb()
        elif channels < self.shape[2]:
            images = images.repeat(3, axis=3)
        self._write(images)

    def mapped(self) -> NDArray[np.uint8]:
        """Return the images so far, `[N, H, W, C]` uint8, read-only."""
        assert self._file, "there is no image"
        self._file.flush()
        return np.memmap(self._file, np.uint8, "r", shape=(len(self), *self.shape))

    def digest(self) -> str:
        """Return the SHA-256 over the sorted SHA-256 digests of each image's pixels, in hex."""
        return hashlib.sha256(b"".join(sorted(self._digests))).hexdigest()

    def sequence(self) -> str:
        """Return the SHA-256 over the digests in the images' order, in hex, for what follows the order."""
        return hashlib.sha256(b"".join(self._digests)).hexdigest()

    def _begin(self, shape: tuple[int, ...]) -> None:
        self._scratch.mkdir(parents=True, exist_ok=True)
        require_space(self._scratch, self._where, self._total * math.prod(shape))
        self._file = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115  # `__exit__` closes it
        self._digests, self.shape = [], shape

    def _write(self, images: NDArray[np.uint8]) -> None:
        assert self._file
        self._file.write(np.ascontiguousarray(images).data)
        self._digests += digests(images)

    def _make_rgb(self) -> None:
        grey = self.mapped()
        self.__exit__(None, None, None)
        self._begin((*self.shape[:2], 3))
        step = max(1, _BLOCK_BYTES // math.prod(self.shape))
        for at in range(0, len(grey), step):
            self._write(grey[at : at + step].repeat(3, axis=3))
