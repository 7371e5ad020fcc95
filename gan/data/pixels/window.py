"""Images of more than 8 bits a sample to uint8: which of their values become 0 and 255, for a whole dataset alike."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gan.configuration.window import Window
from gan.data.records import Deep

Bounds = tuple[float, float]
"""The values that become 0 and 255."""
_GROUPS = {"u": "unsigned", "i": "signed", "f": "float"}
# What is seen of one image: kind and bytes of its type, whether its file has its own window, lowest and highest value;
# a histogram may follow.
_SEEN = struct.Struct("<cB?dd")
# A float32 without its last 8 bits: whole numbers up to 16 bits as they are, all others to 1 part in 65,536.
_KEY_SHIFT = 8
_DROPPED = np.uint32((1 << _KEY_SHIFT) - 1)
_SIGN = np.uint32(1 << 31)
_LARGEST = np.float64(np.finfo(np.float32).max)  # negative it stands for «no value» in many a map
_TOGETHER = 64  # histograms that are added up at once


class Seen(NamedTuple):
    """The values of one image.

    Attributes:
        group: `unsigned`, `signed` or `float`: the windows of these are apart.
        bits: of each value.
        own: whether its file says how it is to be shown.
        low: the lowest finite value.
        high: the highest.
        histogram: ordered keys of its values and their counts, `[2, n]` uint32; n is 0 where nobody needs it.
    """

    group: str
    bits: int
    own: bool
    low: float
    high: float
    histogram: NDArray[np.uint32]


@dataclass(frozen=True)
class Windows:
    """How images of each group are shown.

    Attributes:
        asked: what the configuration says.
        known: groups and their windows, where they follow from the data and are known.
    """

    asked: Window
    known: tuple[tuple[str, Bounds], ...] = ()

    def of(self, image: Deep) -> Bounds | None:
        """Return the window of an image, or None as long as it is not known."""
        if self.asked.kind == "auto" and image.window:
            return image.window
        kind = image.values.dtype
        group = _GROUPS[kind.kind]
        return self.of_group(group, 8 * kind.itemsize) if self.has(group) or not self.asked.from_data else None

    def of_group(self, group: str, bits: int) -> Bounds:
        """Return the window that images of a group share; it has to be known."""
        if self.asked.kind == "values":
            return self.asked.low, self.asked.high
        return _full_range(group, bits) if self.asked.kind == "full" else dict(self.known)[group]

    def has(self, group: str) -> bool:
        """Return whether the window of a group follows from the data and is known."""
        return group in dict(self.known)

    def own(self, seen: Seen) -> bool:
        """Return whether an image is shown by the window that its file has."""
        return seen.own and self.asked.kind == "auto"

    def waits(self, seen: Seen) -> bool:
        """Return whether an image's window is not known."""
        return self.asked.from_data and not self.own(seen) and not self.has(seen.group)

    def with_found(self, found: Mapping[str, Bounds]) -> "Windows":
        """Return the same with more of them known."""
        more = ((group, (float(low), float(high))) for group, (low, high) in sorted(found.items()))
        return Windows(self.asked, (*self.known, *more))


def _full_range(group: str, bits: int) -> Bounds:
    """Return all that a type can hold; of floats, whose range says nothing, what they hold by custom: 0 to 1."""
    if group == "float":
        return 0.0, 1.0
    return (0.0, 2.0**bits - 1) if group == "unsigned" else (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)


def look_at(image: Deep, *, with_histogram: bool) -> bytes:
    """Return what is to be known of an image's values before a window can be chosen; nothing where none is a number.

    Floats that are not finite, or as large as no float32 can be, have no say.
    """
    values, kind = image.values, image.values.dtype
    if kind.kind == "f":
        values = values[np.abs(values) < _LARGEST]
    if not values.size:
        return b""
    seen = _SEEN.pack(kind.kind.encode(), kind.itemsize, image.window is not None, values.min(), values.max())
    return seen + (_histogram(values).tobytes() if with_histogram else b"")


def read_seen(packed: bytes) -> Seen:
    """Return what `look_at` packed."""
    kind, size, own, low, high = _SEEN.unpack_from(packed)
    histogram = np.frombuffer(packed, np.uint32, offset=_SEEN.size).reshape(2, -1)
    return Seen(_GROUPS[kind.decode()], 8 * size, own, low, high, histogram)


def find_windows(seen: Iterable[Seen], asked: Window) -> dict[str, Bounds]:
    """Choose a window for each group of a dataset's images, by all of them, as `auto` or percentiles want it."""
    ranges: dict[str, Bounds] = {}
    histograms: dict[str, list[NDArray[np.uint32]]] = {}
    for each in seen:
        low, high = ranges.get(each.group, (each.low, each.high))
        ranges[each.group] = min(low, each.low), max(high, each.high)
        gathered = histograms.setdefault(each.group, [])
        gathered.append(each.histogram)
        if len(gathered) > _TOGETHER:
            histograms[each.group] = [_merged(gathered)]
    if asked.kind == "percentiles":
        found = {group: _percentiles(_merged(gathered), asked) for group, gathered in histograms.items()}
    else:
        found = {group: auto_window(group, *bounds) for group, bounds in ranges.items()}
    return {group: (low, high if high > low else low + max(1.0, abs(low))) for group, (low, high) in found.items()}


def auto_window(group: str, low: float, high: float) -> Bounds:
    """Choose a window for values from the lowest to the highest.

    It is of whole numbers without negative ones all that their bits can say: 0 to 4095 where the highest is 3,000; of
    floats from 0 (or -1) to 1 just that; of all else the range that there is.
    """
    if group == "float":
        if low >= -1 and high <= 1:
            return (0.0 if low >= 0 else -1.0), 1.0
        return low, high
    return (low, high) if low < 0 else (0.0, float(2 ** int(high).bit_length() - 1))


def to_8_bits(image: Deep, window: Bounds, background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Show the values of a window as 0 to 255, those beyond as its ends, what is not a number as its lower end.

    Args:
        image: it.
        window: the values that become 0 and 255, the first below the second.
        background: RGB under transparent pixels.

    Returns:
        `[H, W, C]` uint8, C 1 or 3.
    """
    low, high = window
    values = image.values.astype(np.float64)
    np.nan_to_num(values, copy=False, nan=low, posinf=high, neginf=low)
    np.clip(values, low, high, out=values)
    values -= low
    values /= high - low
    values *= 255
    pixels = np.rint(values, out=values).astype(np.uint8)
    if image.inverted:
        pixels = 255 - pixels
    if image.alpha is None:
        return pixels
    return over(Image.fromarray(np.dstack([pixels.repeat(3 // pixels.shape[2], axis=2), image.alpha])), background)


def over(foreground: Image.Image, background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Lay an RGBA image over a colour: `[H, W, 3]` uint8."""
    canvas = Image.new("RGBA", foreground.size, (*background, 255))
    return np.asarray(Image.alpha_composite(canvas, foreground).convert("RGB"))


def _histogram(values: NDArray[Any]) -> NDArray[np.uint32]:
    bits = (values.astype(np.float32) + np.float32(0)).view(np.uint32).ravel()  # + 0 makes one zero of both
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN) >> _KEY_SHIFT
    keys, counts = np.unique(ordered, return_counts=True)
    return np.stack([keys, counts]).astype(np.uint32)


def _merged(histograms: list[NDArray[np.uint32]]) -> NDArray[Any]:
    together = np.concatenate([each.astype(np.uint64) for each in histograms], axis=1)
    keys, place = np.unique(together[0], return_inverse=True)
    counts = np.zeros(len(keys), np.uint64)
    np.add.at(counts, place, together[1])
    return np.stack([keys, counts])


def _percentiles(histogram: NDArray[Any], asked: Window) -> Bounds:
    """Return for each of two shares the lowest value up to which as many lie."""
    cumulated = np.cumsum(histogram[1].astype(np.int64))
    places = [int(np.searchsorted(cumulated, share / 100 * cumulated[-1])) for share in (asked.low, asked.high)]
    ordered = (histogram[0][np.minimum(places, len(cumulated) - 1)] << np.uint64(_KEY_SHIFT)).astype(np.uint32)
    bits = np.where(ordered & _SIGN, ordered ^ _SIGN, ~(ordered | _DROPPED))
    low, high = bits.view(np.float32).astype(np.float64).tolist()
    return low, high
