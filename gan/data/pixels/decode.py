"""An image file of any common format to pixels; whatever is wrong with it becomes a reason, never a crash."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gan.configuration.window import Window
from gan.data.files.blob import UnreadableError
from gan.data.pixels import read_png
from gan.data.pixels.formats import FORMATS, SUFFIXES, missing_package, plugged_in
from gan.data.pixels.read_dicom import is_dicom, read_dicom
from gan.data.pixels.read_jpeg import refuse_early_end, without_leading_blanks
from gan.data.pixels.read_tiff import read_tiff
from gan.data.pixels.upright import upright
from gan.data.pixels.window import Windows, over, to_8_bits
from gan.data.records import Deep

WHITE = (255, 255, 255)
_FULL = Windows(Window("full"))
_ORIENTATION = 0x0112  # EXIF's tag


def is_image_name(path: str) -> bool:
    """Return whether a path ends as an image file does."""
    dot = path.rfind(".")
    return dot > 0 and path[dot:].lower() in SUFFIXES


def decode_image(data: bytes, background: tuple[int, int, int] = WHITE) -> NDArray[np.uint8]:
    """Decode the first frame of an image file for a look at it alone: 16 bits are scaled by all that they can hold.

    Args:
        data: the file's bytes; the format is told by them, not by a name.
        background: RGB under transparent pixels.

    Returns:
        `[H, W, C]` uint8, C = 1 where the image is grey (R = G = B counts as grey), else 3.

    Raises:
        UnreadableError: as of `only_image`; or floats and more than 16 bits, whose range only a dataset tells.
    """
    image = only_image(data, background)
    if not isinstance(image, Deep):
        return image
    if image.window is None and image.values.dtype != np.uint16:
        kind = "floating point" if image.values.dtype.kind == "f" else f"signed or {8 * image.values.itemsize}-bit"
        raise UnreadableError(f"{kind} pixels", "their range is unknown: convert the image to 8 bits")
    window = image.window or _FULL.of(image)
    assert window
    return _without_equal_channels(to_8_bits(image, window, background))


def only_image(data: bytes, background: tuple[int, int, int] = WHITE) -> NDArray[np.uint8] | Deep:
    """Decode a file that stands for one image, as `decode_images` does.

    Raises:
        UnreadableError: as there; or it holds several.
    """
    images = decode_images(data, background)
    first = next(images)
    if next(images, None) is not None:
        raise UnreadableError("several images", "its place is for one")
    return first


def decode_images(data: bytes, background: tuple[int, int, int] = WHITE) -> Iterator[NDArray[np.uint8] | Deep]:
    """Decode the images of a file: of a DICOM file every frame, of any other the first.

    EXIF orientation is applied, transparency of 8-bit images is laid over the background, CMYK is converted.

    Args:
        data: the file's bytes; the format is told by them, not by a name.
        background: RGB under transparent pixels.

    Yields:
        `[H, W, C]` uint8, C = 1 where the image is grey (R = G = B counts as grey), else 3; or one of other samples.

    Raises:
        UnreadableError: empty, truncated, too large, not an image, or one whose bands or samples have no plain meaning.
    """
    if not data:
        raise UnreadableError("empty file")
    if is_dicom(data):
        yield from map(_drop_equal_channels, read_dicom(data))
        return
    plain = read_png.plain_png(data)
    yield _drop_equal_channels(_with_care(data, background) if plain is None else plain)


def _with_care(data: bytes, background: tuple[int, int, int]) -> NDArray[np.uint8] | Deep:
    data = without_leading_blanks(data)
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata, which is no concern here, and of huge images, which is.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            deep = _deep(data)
            if deep is None:
                return _with_pillow(data, background)
            is_deep = deep.values.dtype != np.uint8
            return deep if is_deep else to_8_bits(deep, (0, 255), background)
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


def _deep(data: bytes) -> Deep | None:
    """Decode what is not for Pillow, turned upright."""
    if read_png.is_16_bit_png(data):
        image = read_png.read_16_bit_png(data)
        if not read_png.has_metadata(data):
            return image
        with Image.open(BytesIO(read_png.without_spoilt_metadata(data)), formats=["PNG"]) as opened:
            return upright(image, opened.getexif().get(_ORIENTATION, 1))
    found = read_tiff(data)
    return upright(*found) if found else None


def _with_pillow(data: bytes, background: tuple[int, int, int]) -> NDArray[np.uint8] | Deep:
    formats = FORMATS + plugged_in(data)
    with Image.open(BytesIO(read_png.without_spoilt_metadata(data)), formats=formats) as image:
        if image.format in {"JPEG", "MPO"}:  # the latter hold further pictures, as phones take them
            refuse_early_end(data, image)
        return _pixels_of(ImageOps.exif_transpose(image), background)


def _pixels_of(image: Image.Image, background: tuple[int, int, int]) -> NDArray[np.uint8] | Deep:
    if image.mode[0] in "IF":
        values = np.asarray(image)[..., np.newaxis]
        is_16_bit = values.dtype.kind != "f" and values.min() >= 0 and values.max() < 2**16
        return Deep(values.astype(np.uint16) if is_16_bit else values)
    if image.has_transparency_data:
        return over(image.convert("RGBA"), background)
    if image.mode in {"1", "L"}:
        return np.asarray(image.convert("L"))[..., np.newaxis]
    return np.asarray(image.convert("RGB"))


def _drop_equal_channels(pixels: NDArray[np.uint8] | Deep) -> NDArray[np.uint8] | Deep:
    if isinstance(pixels, Deep):
        return replace(pixels, values=_without_equal_channels(pixels.values))
    return _without_equal_channels(pixels)


def _without_equal_channels(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.shape[2] == 1 or len(set(pixels[0, 0].tolist())) > 1:  # one pixel tells most coloured images
        return pixels
    if (pixels[..., :2] == pixels[..., 1:]).all():
        return np.ascontiguousarray(pixels[..., :1])
    return pixels
