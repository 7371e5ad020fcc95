"""DICOM files: the pixels of each frame and how they are to be shown; what a file says of a person is never read."""

import importlib
import math
import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gan.data.files.blob import UnreadableError
from gan.data.records import PART_IMAGES, Deep

_PREAMBLE = 128
_MARK = b"DICM"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_NOT_UNPACKED = "a DICOM file packed in a way that pydicom cannot unpack"
_BYTES_PER_PIXEL = 4  # that Pillow's limit means
_LUT = "PaletteColorLookupTable"
# All that is read of a file: pydicom leaves out every other tag.
_TAGS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    *(f"{colour}{_LUT}{part}" for colour in ("Red", "Green", "Blue") for part in ("Descriptor", "Data")),
    *(f"Segmented{colour}{_LUT}Data" for colour in ("Red", "Green", "Blue")),
]


def is_dicom(data: bytes) -> bool:
    """Return whether a file, or its first 132 bytes, is a DICOM file."""
    return data[_PREAMBLE : _PREAMBLE + len(_MARK)] == _MARK


def read_dicom(data: bytes) -> Iterator[NDArray[np.uint8] | Deep]:
    """Decode one frame at a time.

    Grey values are those that rescaling or a modality table makes; their window is the file's, where it has one.

    Yields:
        `[H, W, C]` uint8, C 1 or 3; or an image of other samples, or with a window of its own.

    Raises:
        UnreadableError: pydicom is missing, or cannot unpack this file; it has no pixels, is too large, or broken.
    """
    dataset = _guarded(_open, data)
    count = _guarded(lambda: int(dataset.get("NumberOfFrames") or 1))
    if not 0 < count <= PART_IMAGES:
        raise UnreadableError("too large", f"{count:,} frames")
    for frame in range(count):
        yield _guarded(_frame, dataset, frame)


def _guarded(read: Any, *arguments: Any) -> Any:
    """Call something of pydicom's; what it has to say of values in the file is for nobody."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(*arguments)
    except UnreadableError:
        raise
    except MemoryError:
        raise UnreadableError("too large", "out of memory") from None
    except Exception as error:  # on broken bytes nearly any type
        raise UnreadableError("broken image", type(error).__name__) from None


def _open(data: bytes) -> Any:
    try:
        pydicom = importlib.import_module("pydicom")
    except ImportError:
        raise UnreadableError("a DICOM file, which needs pydicom", "run `pip install 'ganflow[dicom]'`") from None
    if _DEFLATED in data:  # it would be unpacked as a whole, whatever its size
        raise UnreadableError("a deflated DICOM file", "save it with another transfer syntax")
    dataset = pydicom.dcmread(BytesIO(data), specific_tags=_TAGS)
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UnreadableError("a DICOM file without pixels")
    pixels = int(dataset.Rows) * int(dataset.Columns)
    size = pixels * int(dataset.get("SamplesPerPixel", 1)) * (int(dataset.BitsAllocated) + 7 >> 3)
    limit = Image.MAX_IMAGE_PIXELS or 0
    if not 0 < pixels <= limit or not 0 < size <= limit * _BYTES_PER_PIXEL:
        raise UnreadableError("too large", f"{size:,} bytes a frame")
    _require_decoder(dataset.file_meta.TransferSyntaxUID)
    return dataset


def _require_decoder(syntax: Any) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    name = syntax.name if syntax.is_transfer_syntax else "an unknown way"
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnreadableError(_NOT_UNPACKED, name) from None
    if not decoder.is_available:
        needed = " or ".join(each.split(" - ")[0] for each in decoder.missing_dependencies)
        raise UnreadableError(_NOT_UNPACKED, f"{name}: install {needed}")


def _frame(dataset: Any, frame: int) -> NDArray[np.uint8] | Deep:
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    try:
        values: NDArray[Any] = np.asarray(pixel_array(dataset, index=frame))
    except RuntimeError:  # each of its decoders refuses; what they say may hold anything
        raise UnreadableError(_NOT_UNPACKED, dataset.file_meta.TransferSyntaxUID.name) from None
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    kind = str(dataset.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        colours = np.asarray(apply_color_lut(values, dataset))[..., :3]
        whole = float(np.iinfo(colours.dtype).max)
        return colours if colours.dtype == np.uint8 else Deep(colours, window=(0.0, whole))
    if values.ndim == 3:
        return values if values.dtype == np.uint8 else Deep(values)
    values, window = _shown(values, dataset, frame)
    bits = int(dataset.get("BitsStored") or 8)
    if values.dtype == np.uint8 and window is None:
        window = (0.0, 2.0 ** min(bits, 8) - 1)
    inverted = kind == "MONOCHROME1"
    if values.dtype == np.uint8 and window == (0, 255):
        return (255 - values if inverted else values)[..., np.newaxis]
    return Deep(values[..., np.newaxis], inverted=inverted, window=window)


def _shown(values: NDArray[Any], dataset: Any, frame: int) -> tuple[NDArray[Any], tuple[float, float] | None]:
    """Return the values that a grey frame stands for, and its window."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    modality = _group(dataset, frame, "PixelValueTransformationSequence")
    if "ModalityLUTSequence" in modality or (_slope(modality) != (1, 0)):
        values = _whole(np.asarray(apply_modality_lut(values, modality)))
    voi = _group(dataset, frame, "FrameVOILUTSequence")
    window = _window(voi)
    if window is None and voi.get("VOILUTSequence") and values.dtype.kind in "ui":
        bits = int(voi.VOILUTSequence[0].LUTDescriptor[2])
        return np.asarray(apply_voi_lut(values, voi)), (0.0, 2.0**bits - 1)
    return values, window


def _group(dataset: Any, frame: int, name: str) -> Any:
    """Return what holds for a frame: its own group, else that of all frames, else the file's."""
    frames, shared = dataset.get("PerFrameFunctionalGroupsSequence"), dataset.get("SharedFunctionalGroupsSequence")
    for groups, place in ((frames, frame), (shared, 0)):
        if groups and place < len(groups) and groups[place].get(name):
            return groups[place].get(name)[0]
    return dataset


def _slope(modality: Any) -> tuple[float, float]:
    slope, intercept = modality.get("RescaleSlope"), modality.get("RescaleIntercept")
    return 1.0 if slope is None else float(slope), float(intercept or 0)


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers as such: most scales of CT are."""
    limits = np.iinfo(np.int32)
    if values.dtype.kind != "f" or not (np.rint(values) == values).all():
        return values
    return values.astype(np.int32) if limits.min <= values.min() and values.max() <= limits.max else values


def _window(voi: Any) -> tuple[float, float] | None:
    """Return the first window of a file as its two ends (PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
    centre, width = (_first(voi.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or not math.isfinite(centre + width) or width <= 0:
        return None
    if str(voi.get("VOILUTFunction") or "LINEAR") == "LINEAR":
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
        return (low, high) if high > low else (low, low + 1)
    return centre - width / 2, centre + width / 2


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    values = list(value) if isinstance(value, list | tuple) or hasattr(value, "__iter__") else [value]
    return float(values[0]) if values else None
