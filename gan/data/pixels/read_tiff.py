"""TIFF files that Pillow cannot read, or reads wrongly: more than 8 bits a sample, signs, floats, further bands."""

from io import BytesIO
from typing import NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

from gan.data.files.blob import UnreadableError
from gan.data.records import Deep

_PREFIXES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_UNSIGNED, _COMPLEX = 1, {5, 6}
_ASSOCIATED, _UNASSOCIATED = 1, 2  # opacity that colours were multiplied with, or were not
_PILLOWS_BANDS = 6
_UNKNOWN = "the file does not say which are red, green, blue and opacity: save those alone"
_BYTES_PER_PIXEL = 4  # that Pillow's limit means


class _Layout(NamedTuple):
    """What a file says of its first image."""

    width: int
    height: int
    bits: int
    sample: int
    photometric: int
    bands: int
    extra: tuple[int, ...]
    planar: bool
    orientation: int
    nothing: float  # the value of pixels without one, as maps have it; not a number where there is no such


def read_tiff(data: bytes) -> tuple[Deep, int] | None:
    """Decode the first image of a TIFF file where Pillow would not do.

    Returns:
        The image as it is stored, of 8 bits too where it has unusual bands, and its EXIF orientation. None: it is no
        TIFF file, or one for Pillow.

    Raises:
        UnreadableError: its bands have no plain meaning, its samples are complex, or it is too large, cut short or
            broken.
    """
    layout = _layout(data) if data.startswith(_PREFIXES) else None
    if layout is None:
        return None
    if layout.photometric not in {_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB}:
        if layout.bands > _PILLOWS_BANDS:  # of which Pillow complains on standard error
            raise UnreadableError(f"{layout.bands} bands", _UNKNOWN)
        return None
    if layout.sample in _COMPLEX:
        raise UnreadableError("complex numbers", "save one image of their size or phase")
    colours, alpha_at = _meaning(layout)
    is_unsaid = alpha_at and not layout.extra
    usual = layout.bands <= 4 and (layout.bands < 3 or layout.photometric == _RGB) and not is_unsaid
    if layout.bits <= 8 and layout.sample == _UNSIGNED and usual:
        return None
    size = layout.width * layout.height * layout.bands * (layout.bits + 7 >> 3)
    if not 0 < size <= (Image.MAX_IMAGE_PIXELS or 0) * _BYTES_PER_PIXEL:
        raise UnreadableError("too large", f"{size:,} bytes")
    bands = _bands(data, layout)
    values = np.array(bands[..., :colours], order="C")
    if values.dtype.kind == "f":
        values[values == values.dtype.type(layout.nothing)] = np.nan
    alpha = _opacity(bands[..., alpha_at]) if alpha_at else None
    if is_unsaid and alpha is not None and alpha.min() < 255:
        raise UnreadableError(f"{layout.bands} bands", _UNKNOWN)
    if alpha is not None and layout.extra and layout.extra[alpha_at - colours] == _ASSOCIATED:
        share = np.maximum(alpha, 1)[..., np.newaxis] / 255
        values = np.minimum(values / share, values.max()).astype(values.dtype)
    return Deep(values, alpha, inverted=layout.photometric == _WHITE_IS_ZERO), layout.orientation


def _layout(data: bytes) -> _Layout | None:
    """Read what the file says, no pixels; None where it makes no sense, for which Pillow finds the words."""
    from PIL import TiffImagePlugin  # takes as long to load as a thousand images to read, of which most are no TIFF

    file = BytesIO(data)
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(16 if data[2] == 43 else 8))  # 43: BigTIFF
        file.seek(tags.next)
        tags.load(file)
        return _Layout(
            width=int(tags[256]),
            height=int(tags[257]),
            bits=max(tags.get(258, (1,))),
            sample=int(tags.get(339, (_UNSIGNED,))[0]),
            photometric=int(tags.get(262, _BLACK_IS_ZERO)),
            bands=int(tags.get(277, 1)),
            extra=tuple(tags.get(338, ())),
            planar=int(tags.get(284, 1)) == 2,
            orientation=int(tags.get(274, 1)),
            nothing=_number(tags.get(42113)),
        )
    except Exception:  # on broken bytes nearly any type
        return None


def _number(text: object) -> float:
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return float("nan")


def _meaning(layout: _Layout) -> tuple[int, int]:
    """Return how many bands are colours, and which band is opacity, 0 for none.

    A fourth band without a name may be opacity, as OpenCV writes it, or infrared: it is taken for the former.
    """
    bands, extra = layout.bands, layout.extra
    if layout.photometric == _RGB and bands == 4 and not extra:
        return 3, 3
    colours = 3 if layout.photometric == _RGB or (layout.photometric == _BLACK_IS_ZERO and bands == 3) else 1
    if bands == colours:
        return colours, 0
    known = len(extra) == bands - colours and (colours == 3 or set(extra) & {_ASSOCIATED, _UNASSOCIATED})
    if bands < colours or not known or (colours == 1 and bands > 2):
        raise UnreadableError(f"{bands} bands", _UNKNOWN)
    return colours, next((colours + at for at, kind in enumerate(extra) if kind in {_ASSOCIATED, _UNASSOCIATED}), 0)


def _bands(data: bytes, layout: _Layout) -> "np.ndarray[tuple[int, int, int], np.dtype[np.generic]]":
    """Decode to `[H, W, bands]`."""
    try:
        values = np.asarray(imagecodecs.tiff_decode(data))
    except Exception as error:
        reason = "truncated image" if "Read error" in str(error) else "broken image"
        raise UnreadableError(reason, type(error).__name__) from None
    if layout.planar and layout.bands > 1 and values.ndim == 3:
        values = np.moveaxis(values, 0, 2)
    if values.size != layout.height * layout.width * layout.bands or values.dtype.kind not in "uif":
        raise UnreadableError("broken image")
    return values.reshape(layout.height, layout.width, layout.bands)


def _opacity(
    band: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    whole = 1.0 if band.dtype.kind == "f" else float(np.iinfo(band.dtype).max)  # type: ignore[type-var]
    return np.rint(np.clip(np.nan_to_num(band.astype(np.float64)) / whole, 0, 1) * 255).astype(np.uint8)
