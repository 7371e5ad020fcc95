"""Bicubic resize with antialiasing, by Pillow itself, for scores comparable with clean-fid's."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def resize_clean(pixels: Tensor, size: int) -> Tensor:
    """Resize every channel as a float32 image by Pillow's bicubic filter, which widens when it shrinks an image.

    Args:
        pixels: [N, C, H, W] uint8.
        size: side of the result in pixels.

    Returns:
        [N, C, size, size] float32 in [0, 255], on the device of `pixels`.

    Reference: Parmar et al., On Aliased Resizing and Surprising Subtleties in GAN Evaluation, 2022, section 3.
    """
    source = pixels.to("cpu", torch.float32).contiguous().numpy()
    resized = np.empty((*source.shape[:2], size, size), dtype=np.float32)
    for index in np.ndindex(source.shape[:2]):
        resized[index] = Image.fromarray(source[index]).resize((size, size), Image.Resampling.BICUBIC)
    # bicubic overshoots at edges
    return torch.from_numpy(resized.clip(0.0, 255.0)).to(pixels.device)
