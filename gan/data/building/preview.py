"""What an ingest would find in a source: told by names and a few images, without reading or writing the rest."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from gan.data.building.file_counts import FileCounts, file_counts
from gan.data.building.windows import name_of_kind
from gan.data.pixels.window import look_at, read_seen
from gan.data.records import UNLABELLED_NAME, Deep, Part, Reject, Source, SourceImage, spread, tally_of
from gan.data.sources.folder import FolderSource, ImageFiles

SAMPLED = 64  # images that are decoded for their sizes
_SMALLEST, _LARGEST = 8, 256  # resolutions that are suggested


class Preview(BaseModel):
    """What is in a source.

    Attributes:
        name: what the dataset would be called.
        kind: which sort of source it is.
        records: images, and what would be rejects.
        classes: how many classes there are; 0 for images without labels.
        counts: records by split (`all` where the source has none) and class (`unlabelled` where they have none); empty
            where only reading them would tell.
        rejects: what is known to be a reject without being read, by reason.
        files: what the files are; null where records are no files.
        asked: how a person had them read.
        sampled: images that were read.
        unreadable: of these, those that cannot be, by reason.
        sides: shortest, median and longest of their shorter sides, in pixels.
        values: their lowest and highest, by what they are stored as.
        resolution: the largest that can be and that the median of them has, up to 256.
        notes: what a person should know.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    records: int
    classes: int
    counts: dict[str, dict[str, int]]
    rejects: dict[str, int]
    files: FileCounts | None
    asked: dict[str, str | tuple[str, ...]]
    sampled: int
    unreadable: dict[str, int]
    sides: tuple[int, int, int] | None
    values: dict[str, tuple[float, float]]
    resolution: int | None
    notes: tuple[str, ...]


def preview(source: Source, sampled: int = SAMPLED) -> Preview:
    """Look at a source.

    Args:
        source: it, opened.
        sampled: how many images are decoded.
    """
    parts = [] if isinstance(source, FolderSource) else source.parts()
    counts, rejects = _counts(source)
    shorter: list[int] = []
    unreadable: Counter[str] = Counter()
    values: dict[str, tuple[float, float]] = {}
    records = source.some(sampled).read() if isinstance(source, FolderSource) else sample_parts(parts, sampled)
    for record in records:  # one at a time, for some are large
        if isinstance(record, Reject):
            unreadable[record.reason] += 1
            continue
        shorter.append(min(record.pixels.shape[:2]))
        for kind, low, high in _values(record.pixels):
            before = values.get(kind, (low, high))
            values[kind] = min(before[0], low), max(before[1], high)
    shorter.sort()
    median = shorter[len(shorter) // 2] if shorter else 0
    return Preview(
        name=source.name,
        kind=source.kind,
        records=len(source),
        classes=len(source.class_names),
        counts=counts,
        rejects=rejects,
        files=_files(source, counts, rejects),
        asked=getattr(source, "asked", {}),
        sampled=len(shorter) + unreadable.total(),
        unreadable=dict(unreadable),
        sides=(shorter[0], median, shorter[-1]) if shorter else None,
        values=values,
        resolution=fitting_resolution(median) if shorter else None,
        notes=source.notes,
    )


def fitting_resolution(side: int) -> int:
    """Return the largest resolution that is no longer than a side: a power of two or 7 times one, within 8 to 256."""
    powers = (1 << bits for bits in range(_LARGEST.bit_length()))
    fitting = (size for power in powers for size in (power, 7 * power) if size <= min(side, _LARGEST))
    return max(_SMALLEST, *fitting, 0)


def _values(pixels: NDArray[np.uint8] | Deep) -> Iterator[tuple[str, float, float]]:
    """Yield what the values of an image are stored as, the lowest and the highest; nothing where none is a number."""
    if not isinstance(pixels, Deep):
        yield "8-bit images", float(pixels.min()), float(pixels.max())
    elif seen := look_at(pixels, with_histogram=False):
        of = read_seen(seen)
        yield name_of_kind(of.group, of.bits), of.low, of.high


def _files(source: Source, counts: Mapping[str, Mapping[str, int]], rejects: Mapping[str, int]) -> FileCounts | None:
    census = getattr(source, "census", None)
    if census is None:
        return None
    images = sum(sum(by_class.values()) for by_class in counts.values())
    return file_counts(census, images, sum(rejects.values()))


def _counts(source: Source) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    names = (*source.class_names, UNLABELLED_NAME)
    tally = tally_of(source)
    if tally is None:
        return {}, {}
    counts, rejects = tally
    found: dict[str, dict[str, int]] = {}
    for split, label in sorted(counts, key=lambda key: (key[0] == "test", key[1] < 0, key[1])):
        found.setdefault(split or "all", {})[names[label]] = counts[split, label]
    return found, dict(rejects)


def sample_parts(parts: Sequence[Part], most: int) -> Iterator[SourceImage | Reject]:
    """Yield some records from all over a source."""
    chosen = spread(parts, most)
    for number, part in enumerate(chosen, start=1):
        each = most * number // len(chosen) - most * (number - 1) // len(chosen)
        if isinstance(part, ImageFiles):
            part = ImageFiles.of(spread([item for item in part.items if item.blob], each), part.background)
        yield from islice(part.read(), each)
