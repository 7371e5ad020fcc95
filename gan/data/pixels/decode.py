"""An image file of any common format to uint8 pixels; whatever is wrong with it becomes a reason, never a crash."""

import struct
import warnings
import zlib
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gan.data.files.blob import UnreadableError
from gan.data.pixels.formats import FORMATS, SUFFIXES, missing_package, plugged_in

WHITE = (255, 255, 255)

# Signature and header of a PNG: size, bit depth, colour type, and that its rows are not interlaced.
_PNG_HEADER = struct.Struct(">8s8xIIBBBBB")
_PNG_CHANNELS = {0: 1, 2: 3}  # colour type to channels: grey, RGB


def is_image_name(path: str) -> bool:
    """Return whether a path ends as an image file does."""
    dot = path.rfind(".")
    return dot > 0 and path[dot:].lower() in SUFFIXES


def decode_image(data: bytes, background: tuple[int, int, int] = WHITE) -> NDArray[np.uint8]:
    """Decode the first frame of an image file.

    EXIF orientation is applied, transparency is laid over the background, 16-bit and CMYK images are converted.

    Args:
        data: the file's bytes; the format is told by them, not by a name.
        background: RGB under transparent pixels.

    Returns:
        `[H, W, C]` uint8, C = 1 where the image is grey (R = G = B counts as grey), else 3.

    Raises:
        UnreadableError: empty, truncated, too large, or not an image that Pillow can read.
    """
    if not data:
        raise UnreadableError("empty file")
    pixels = _plain_png(data)
    return _drop_equal_channels(_with_pillow(data, background) if pixels is None else pixels)


def _plain_png(data: bytes) -> NDArray[np.uint8] | None:
    """Decode the commonest sort of PNG, grey or RGB of 8 bits, three times faster than Pillow; None for all else."""
    if len(data) < _PNG_HEADER.size:
        return None
    signature, width, height, bits, colour, _, _, interlaced = _PNG_HEADER.unpack_from(data)
    if signature != b"\x89PNG\r\n\x1a\n" or bits != 8 or colour not in _PNG_CHANNELS or interlaced:
        return None
    if not 0 < width * height <= (Image.MAX_IMAGE_PIXELS or 0):
        return None
    if not _is_bare_png(data):
        return None  # libpng would print to standard error
    try:
        pixels: NDArray[np.uint8] = imagecodecs.png_decode(data)
    except Exception:
        return None  # Pillow finds the words for what is wrong
    channels = _PNG_CHANNELS[colour]
    if pixels.dtype != np.uint8 or pixels.size != height * width * channels:
        return None
    return pixels.reshape(height, width, channels)


def _is_bare_png(data: bytes) -> bool:
    """Return whether there is nothing but pixels, each chunk with its checksum, up to the last.

    Others may hold transparency or, before the pixels or behind them, an orientation.
    """
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        name = data[at + 4 : at + 8]
        if name == b"IEND":
            return True
        if name not in {b"IHDR", b"IDAT"}:
            return False
        at = end
    return False


def _with_pillow(data: bytes, background: tuple[int, int, int]) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata, which is no concern here, and of huge images, which is.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=FORMATS + plugged_in(data)) as image:
                return _to_uint8(ImageOps.exif_transpose(image), background)
    except UnreadableError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnreadableError("too large", f"more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableError(missing_package(data) or "not an image") from None
    except MemoryError:
        raise UnreadableError("too large", "out of memory") from None
    except Exception as error:
        # On broken bytes Pillow's decoders raise nearly any type: SyntaxError, struct.error, KeyError, EOFError...
        reason = "truncated image" if "truncated" in str(error).lower() else "broken image"
        raise UnreadableError(reason, type(error).__name__) from None


def _to_uint8(image: Image.Image, background: tuple[int, int, int]) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        return _from_16_bits(np.asarray(image))
    if image.mode == "F":
        raise UnreadableError("floating point pixels", "their range is unknown: convert the image to 8 bits")
    if image.has_transparency_data:
        foreground = image.convert("RGBA")
        canvas = Image.new("RGBA", foreground.size, (*background, 255))
        return np.asarray(Image.alpha_composite(canvas, foreground).convert("RGB"))
    if image.mode in {"1", "L"}:
        return np.asarray(image.convert("L"))[..., np.newaxis]
    return np.asarray(image.convert("RGB"))


def _from_16_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.min() < 0 or values.max() > 65535:
        raise UnreadableError("more than 16 bits per pixel", "convert the image to 8 bits")
    return np.rint(values / 257).astype(np.uint8)[..., np.newaxis]


def _drop_equal_channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[2] == 1 or len(set(pixels[0, 0].tolist())) > 1:  # one pixel tells most coloured images
        return pixels
    if (pixels[..., :2] == pixels[..., 1:]).all():
        return np.ascontiguousarray(pixels[..., :1])
    return pixels
