"""Nearest training images by their pixels, blind to small shifts, mirroring, brightness, noise and recompression."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gan.metrics.neighbours import nearest

MAX_SHIFT_PIXELS = 2

_SIDE = 16
_CANDIDATES = 16
_IMAGES_PER_BLOCK = 1024
_QUERIES_PER_BLOCK = 64


class Images(Protocol):
    """[N, H, W, C] uint8: an array, or what reads a part of it when it is looked at."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""

    @property
    def dtype(self) -> Any:
        """Of the numbers."""

    def __len__(self) -> int: ...

    def __getitem__(self, which: slice, /) -> Any: ...


@dataclass(frozen=True)
class PixelVectors:
    """Images made small twice over: as pictures to lay on each other, and as spectra to search among.

    A spectrum holds the magnitudes of the picture's Fourier transform, which shifts do not change, as mean and
    difference of every frequency and its mirror image, which mirroring does not change. Square roots keep the few large
    magnitudes from deciding alone.

    Attributes:
        pictures: [N, C, 16, 16] float32 in [0, 255].
        spectra: [N, 162 C] float32.
        shift: of how many cells of a picture `MAX_SHIFT_PIXELS` are at most, 1 or 2.
    """

    pictures: Tensor
    spectra: npt.NDArray[np.float32]
    shift: int

    @classmethod
    def of(cls, images: Images, *, device: str | torch.device = "cpu") -> Self:
        """Return the vectors of images [N, H, W, C] uint8, N from 1 up, C = 1 or 3.

        Raises:
            ValueError: the images have another shape or dtype.
        """
        if images.dtype != np.uint8 or len(images.shape) != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
            raise ValueError(f"images are {images.shape} {images.dtype}, expected [N, H, W, 1 or 3] uint8, none empty")
        pictures, spectra = [], []
        for start in range(0, len(images), _IMAGES_PER_BLOCK):
            block = torch.from_numpy(np.array(images[start : start + _IMAGES_PER_BLOCK], order="C")).to(device)
            # antialiasing averages noise and recompression away, and makes a shift by half a cell a small change
            small = nn.functional.interpolate(
                block.permute(0, 3, 1, 2).float(), (_SIDE, _SIDE), mode="bilinear", antialias=True
            )
            pictures.append(small.cpu())
            spectra.append(_spectra(small).cpu().numpy())
        cells = round(MAX_SHIFT_PIXELS * _SIDE / min(images.shape[1:3]))
        return cls(torch.cat(pictures), np.concatenate(spectra), min(max(cells, 1), 2))

    def __len__(self) -> int:
        return len(self.spectra)

    def __getitem__(self, indices: npt.NDArray[np.int64]) -> Self:
        return type(self)(self.pictures[torch.from_numpy(indices)], self.spectra[indices], self.shift)


def nearest_pixels(
    queries: PixelVectors, reference: PixelVectors, k: int, *, device: str | torch.device = "cpu"
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the nearest reference images of every query, among the 16 whose spectra are nearest.

    The distance is the geometric mean of that of the spectra and of the smallest root mean square difference of the
    pictures, each less its mean colour, over all shifts up to `MAX_SHIFT_PIXELS` and both mirrorings. Either sees
    copies that the other misses: the spectrum those shifted by half a cell, the pictures those that lost a border.
    By their spectrum, pictures upside down and negatives are copies, too.

    Args:
        queries: of images of one size.
        reference: of images of the same size.
        k: how many neighbours, up to 16; fewer come where the reference is smaller.
        device: where spectra and pictures are compared.

    Returns:
        Distances [N, k] float32, ascending, and indices into the reference [N, k] int64.
    """
    candidates = min(_CANDIDATES, len(reference))
    spectral, indices = nearest(queries.spectra, reference.spectra, candidates, device=device)
    distances = np.empty_like(spectral)
    for start in range(0, len(queries), _QUERIES_PER_BLOCK):
        block = slice(start, start + _QUERIES_PER_BLOCK)
        others = reference.pictures[torch.from_numpy(indices[block])].to(device)
        distances[block] = _aligned(queries.pictures[block].to(device), others, queries.shift).cpu().numpy()
    distances = np.sqrt(distances * spectral)
    order = distances.argsort(axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(indices, order, axis=1)


def _spectra(pictures: Tensor) -> Tensor:
    # [n, C, 16, 16] -> [n, 162 C]; a sine window, because the transform takes opposite borders for neighbours
    window = torch.sin(torch.arange(1, _SIDE + 1, device=pictures.device) * (torch.pi / (_SIDE + 1)))
    centred = pictures - pictures.mean(dim=(2, 3), keepdim=True)
    magnitudes = torch.fft.rfft2(centred * window[:, None] * window).abs()
    mirrored = torch.cat([magnitudes[:, :, :1], magnitudes[:, :, 1:].flip(2)], dim=2)
    # frequencies beyond the half repeat those before it
    pair = torch.cat([magnitudes + mirrored, (magnitudes - mirrored).abs()], dim=3)[:, :, : _SIDE // 2 + 1]
    return (pair / 2).sqrt().flatten(1)


def _aligned(queries: Tensor, others: Tensor, shift: int) -> Tensor:
    # [n, C, S, S] and [n, m, C, S, S] -> [n, m]: the query's middle, also mirrored, is laid on every place of the other
    middle = queries[:, :, shift : _SIDE - shift, shift : _SIDE - shift]
    middle = middle - middle.mean(dim=(2, 3), keepdim=True)
    both = torch.stack([middle, middle.flip(3)], dim=1).flatten(2)
    side, places = _SIDE - 2 * shift, (2 * shift + 1) ** 2
    windows = nn.functional.unfold(others.flatten(0, 1), side).view(*others.shape[:3], side * side, places)
    windows = (windows - windows.mean(dim=3, keepdim=True)).flatten(2, 3)
    products = torch.einsum("nfd,nmdp->nmfp", both, windows)
    squared = both[:, :1].square().sum(dim=2)[:, None, :, None] + windows.square().sum(dim=2)[:, :, None] - 2 * products
    nearest_place: Tensor = squared.clamp_min(0.0).amin(dim=(2, 3))
    return (nearest_place / both.shape[2]).sqrt()
