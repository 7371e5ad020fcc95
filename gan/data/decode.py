"""One image file of any common format to uint8 pixels; whatever is wrong with it becomes a reason, never a crash."""

import os
import stat
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")


class UnreadableImageError(Exception):
    """A file that is no readable image; `reason` in a few words that many files share, `detail` for this one."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Keep both parts, so that files can be counted by reason."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode the first frame of an image file.

    EXIF orientation is applied, transparency is laid over white, 16-bit and CMYK images are converted.

    Returns:
        `[H, W, C]` uint8, C = 1 where the image is grey (R = G = B counts as grey), else 3.

    Raises:
        UnreadableImageError: not a regular file, empty, truncated, too large, or not an image that Pillow can read.
    """
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise UnreadableImageError("symbolic link")
        if not stat.S_ISREG(mode):
            # Opening a pipe would wait for a writer for ever.
            raise UnreadableImageError("not a regular file")
        if path.stat().st_size == 0:
            raise UnreadableImageError("empty file")
        with warnings.catch_warnings():
            # Pillow warns of odd metadata, which is no concern here, and of huge images, which is.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                return _drop_equal_channels(_to_uint8(ImageOps.exif_transpose(image)))
    except UnreadableImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnreadableImageError("too large", f"more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableImageError("not an image") from None
    except MemoryError:
        raise UnreadableImageError("too large", "out of memory") from None
    except PermissionError as error:
        raise UnreadableImageError("cannot be read", os.strerror(error.errno or 0)) from None
    except Exception as error:
        # On broken bytes Pillow's decoders raise nearly any type: SyntaxError, struct.error, KeyError, EOFError...
        reason = "truncated image" if "truncated" in str(error).lower() else "broken image"
        raise UnreadableImageError(reason, type(error).__name__) from None


def _to_uint8(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        return _from_16_bits(np.asarray(image))
    if image.mode == "F":
        raise UnreadableImageError("floating point pixels", "their range is unknown: convert the image to 8 bits")
    if image.has_transparency_data:
        foreground = image.convert("RGBA")
        background = Image.new("RGBA", foreground.size, (255, 255, 255, 255))
        return np.asarray(Image.alpha_composite(background, foreground).convert("RGB"))
    if image.mode in {"1", "L"}:
        return np.asarray(image.convert("L"))[..., np.newaxis]
    return np.asarray(image.convert("RGB"))


def _from_16_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.min() < 0 or values.max() > 65535:
        raise UnreadableImageError("more than 16 bits per pixel", "convert the image to 8 bits")
    return np.rint(values / 257).astype(np.uint8)[..., np.newaxis]


def _drop_equal_channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[2] == 3 and np.array_equal(pixels[..., :2], pixels[..., 1:]):
        return np.ascontiguousarray(pixels[..., :1])
    return pixels
