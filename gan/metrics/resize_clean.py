"""Bicubic resize with antialiasing as Pillow does it, for scores comparable with clean-fid's."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

_SHARPNESS = -0.5
"""Pillow's a, of the bicubic kernel."""


def resize_clean(pixels: Tensor, size: int) -> Tensor:
    """Resize every channel as a float32 image by Pillow's bicubic filter, which widens when it shrinks an image.

    On a CPU Pillow does it; on a GPU products with matrices of its weights, equal but for the rounding of a sum.

    Args:
        pixels: [N, C, H, W] uint8.
        size: side of the result in pixels.

    Returns:
        [N, C, size, size] float32 in [0, 255], on the device of `pixels`.

    Reference: Parmar et al., On Aliased Resizing and Surprising Subtleties in GAN Evaluation, 2022, section 3.
    """
    resized = by_pillow(pixels, size) if pixels.device.type == "cpu" else by_products(pixels, size)
    return resized.clamp(0.0, 255.0)  # bicubic overshoots at edges


def by_pillow(pixels: Tensor, size: int) -> Tensor:
    """As `resize_clean` before what overshoots is cut, on the CPU."""
    source = pixels.to(torch.float32).contiguous().numpy()
    resized = np.empty((*source.shape[:2], size, size), dtype=np.float32)
    for index in np.ndindex(source.shape[:2]):
        resized[index] = Image.fromarray(source[index]).resize((size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(resized)


def by_products(pixels: Tensor, size: int) -> Tensor:
    """The same on any device: sums in float64, rounded to float32 after each direction, as Pillow does."""
    down, across = (torch.from_numpy(weights(side, size)).to(pixels.device) for side in pixels.shape[2:])
    rows = (pixels.double() @ across.T).float()
    return (down @ rows.double()).float()


@lru_cache(maxsize=8)
def weights(before: int, after: int) -> npt.NDArray[np.float64]:
    """Return the weights [after, before] float64 by which a line of pixels is resized; each row sums to 1.

    Reference: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, equation (15), with a = -1/2.
    """
    scale = before / after
    wide = max(scale, 1.0)  # of the kernel, in pixels of the source
    centres = (np.arange(after) + 0.5) * scale
    pixels = np.arange(before)
    first = np.maximum((centres - 2.0 * wide + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + 2.0 * wide + 0.5).astype(np.int64), before)
    away = np.abs((pixels + 0.5 - centres[:, None]) / wide)
    near = ((_SHARPNESS + 2.0) * away - (_SHARPNESS + 3.0)) * away**2 + 1.0
    far = (((away - 5.0) * away + 8.0) * away - 4.0) * _SHARPNESS
    found = np.where(away < 1.0, near, np.where(away < 2.0, far, 0.0))
    found[(pixels < first[:, None]) | (pixels >= last[:, None])] = 0.0
    lines: npt.NDArray[np.float64] = found / found.sum(axis=1, keepdims=True)
    return lines
