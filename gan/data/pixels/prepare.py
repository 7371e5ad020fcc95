"""One source image to one square image of the dataset's resolution and channels."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gan.configuration.config import Crop, Filter

_FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


def prepare(
    pixels: NDArray[np.uint8],
    *,
    resolution: int,
    crop: Crop,
    filter: Filter,
    channels: int,
    background: tuple[int, int, int] = (255, 255, 255),
) -> NDArray[np.uint8]:
    """Make an image square, of `resolution` pixels a side and with `channels` channels.

    An image that has that size already keeps its pixels. Pillow's filters widen when they shrink an image, so nothing
    aliases, and work in integers, so that every machine gives the same bytes.

    Args:
        pixels: `[H, W, C]` uint8, C 1 or 3, H and W at least 1.
        resolution: R, side of the result in pixels.
        crop: `centre` keeps the largest square in the middle, `pad` keeps everything and adds bars, `stretch`
            keeps everything and changes proportions.
        filter: resampling filter.
        channels: 1 (colours become their luma) or 3 (grey is repeated).
        background: RGB of the bars.

    Returns:
        `[R, R, channels]` uint8, contiguous.
    """
    if pixels.shape == (resolution, resolution, channels):
        return np.ascontiguousarray(pixels)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image = image.convert("L" if channels == 1 else "RGB")
    resample = _FILTERS[filter]
    if crop == "pad":
        # Scaled before it is padded: the square around a long thin image may not fit in memory.
        longest = max(image.size)
        width, height = (max(1, round(side * resolution / longest)) for side in image.size)
        canvas = Image.new("RGB", (resolution, resolution), background).convert(image.mode)
        canvas.paste(image.resize((width, height), resample), ((resolution - width) // 2, (resolution - height) // 2))
        image = canvas
    else:
        if crop == "centre":
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
        image = image.resize((resolution, resolution), resample)
    return np.array(image, dtype=np.uint8).reshape(resolution, resolution, channels)
