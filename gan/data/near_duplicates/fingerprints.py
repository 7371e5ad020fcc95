"""Fingerprints of images: small arrays by which repeated images are found without the images themselves."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from gan.data.files.array_file import array_file
from gan.data.files.atomic import replacing
from gan.errors import InputError

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

SIDE = 32
"""Of a picture at most. Smaller ones cannot tell: shrunk from 28 to 16 pixels, a Fashion-MNIST image that was shifted
by one pixel is as far from itself as from the next real one."""
LEAST_SIDE = 4
"""Of an image."""
_LUMA = (299, 587, 114)  # thousandths; whole numbers give the same picture on every machine
_MOST_BYTES = 2**33
"""Of a file: eight million pictures of 32 pixels."""


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """What is kept of each image: which it is to the bit, and a small picture of it.

    Both are whole numbers and the same on every machine, so what is found by them is, too.

    Attributes:
        digests: [N, 2] uint64, the first 128 bits of the sha256 of the pixels.
        pictures: [N, h, w] uint8, grey, h and w up to 32.
    """

    digests: npt.NDArray[np.uint64]
    pictures: Images

    @classmethod
    def of(cls, images: Images) -> Self:
        """Take them of images [N, H, W, C] uint8, C = 1 or 3; larger ones are halved until they fit.

        Raises:
            ValueError: the images have another shape or dtype, or are smaller than 4 pixels.
        """
        if (
            images.dtype != np.uint8
            or images.ndim != 4
            or images.shape[3] not in (1, 3)
            or min(images.shape[1:3]) < LEAST_SIDE
        ):
            raise ValueError(f"images are {images.shape} {images.dtype}, expected [N, H, W, 1 or 3] uint8 from 4 px up")
        digests = b"".join(hashlib.sha256(image.tobytes()).digest()[:16] for image in images)
        return cls(np.frombuffer(digests, dtype="<u8").astype(np.uint64).reshape(-1, 2), pictures_of(images))

    @classmethod
    def join(cls, parts: Sequence["Fingerprints"]) -> Self:
        """Return those of several blocks [one or more] of images of one size, in their order."""
        return cls(np.concatenate([each.digests for each in parts]), np.concatenate([each.pictures for each in parts]))

    def __len__(self) -> int:
        """Return N."""
        return len(self.digests)

    @property
    def words(self) -> npt.NDArray[np.bytes_]:
        """The digests as [N] of 16 bytes, which NumPy sorts and compares as one thing."""
        return np.ascontiguousarray(self.digests).view("S16").ravel()

    def take(self, rows: Rows) -> "Fingerprints":
        """Return those of these rows [n] int64."""
        return Fingerprints(self.digests[rows], self.pictures[rows])

    def write(self, path: Path) -> None:
        """Write them as a file of NumPy's; a reader sees all of it or none."""
        with replacing(path) as draft, draft.open("wb") as file:
            # compressed they would be a sixth smaller, and take as long to write as a fifth of the drawing takes
            np.savez(file, allow_pickle=False, digests=self.digests, pictures=self.pictures)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read them; whoever may write to a storage may have written the file.

        Raises:
            InputError: it is no such file.
        """
        remedy = "draw that release again, or leave it out"
        with array_file(path, "fingerprints of images", _MOST_BYTES, remedy) as file:
            found = cls(digests=file["digests"], pictures=file["pictures"])
        if not found._sound:
            raise InputError(f"{path} holds fingerprints that no images can have: {remedy}")
        return found

    @property
    def _sound(self) -> bool:
        digests, pictures = self.digests, self.pictures
        return (
            digests.dtype == np.uint64
            and pictures.dtype == np.uint8
            and (digests.ndim, pictures.ndim) == (2, 3)
            and digests.shape == (len(pictures), 2)
            and min(pictures.shape[1:]) >= LEAST_SIDE
            and max(pictures.shape[1:]) <= SIDE
        )


def pictures_of(images: Images) -> Images:
    """Return the small grey pictures [N, h, w] of images [N, H, W, 1 or 3] uint8, h and w up to 32."""
    grey = images[..., 0]
    if images.shape[3] == 3:
        # channel by channel: a product of matrices of whole numbers takes ten times as long
        total = np.zeros(images.shape[:3], np.uint32)
        for channel, weight in enumerate(_LUMA):
            total += np.multiply(images[..., channel], weight, dtype=np.uint32)
        grey = ((total + 500) // 1000).astype(np.uint8)
    for axis in (1, 2):
        while grey.shape[axis] > SIDE:
            grey = _halved(grey, axis)
    return np.ascontiguousarray(grey)


def _halved(grey: Images, axis: int) -> Images:
    even = np.moveaxis(grey, axis, -1)[..., : grey.shape[axis] // 2 * 2].astype(np.uint16)
    halved: Images = ((even[..., 0::2] + even[..., 1::2] + 1) // 2).astype(np.uint8)
    return np.moveaxis(halved, -1, axis)
