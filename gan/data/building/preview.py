"""What an ingest would find in a source: told by names and a few images, without reading or writing the rest."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from pydantic import BaseModel, ConfigDict

from gan.data.records import Part, Reject, Source, SourceImage, SplitName, spread
from gan.data.sources.folder import FolderSource, ImageFiles

SAMPLED = 64  # images that are decoded for their sizes
_SMALLEST, _LARGEST = 8, 256  # resolutions that are suggested


class Preview(BaseModel):
    """What is in a source.

    Attributes:
        name: what the dataset would be called.
        kind: which sort of source it is.
        records: images, and what would be rejects.
        counts: records by split (`all` where the source has none) and class (`unlabelled` where they have none); empty
            where only reading them would tell.
        rejects: what is known to be a reject without being read, by reason.
        files: how many files there are; null where records are no files.
        companions: files that are no images of the dataset, by what they are.
        sampled: images that were read.
        unreadable: of these, those that cannot be, by reason.
        sides: shortest, median and longest of their shorter sides, in pixels.
        resolution: the largest power of two that the median of them has, up to 256.
        notes: what a person should know.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    records: int
    counts: dict[str, dict[str, int]]
    rejects: dict[str, int]
    files: int | None
    companions: dict[str, int]
    sampled: int
    unreadable: dict[str, int]
    sides: tuple[int, int, int] | None
    resolution: int | None
    notes: tuple[str, ...]


def preview(source: Source, sampled: int = SAMPLED) -> Preview:
    """Look at a source.

    Args:
        source: it, opened.
        sampled: how many images are decoded.
    """
    parts = [] if isinstance(source, FolderSource) else source.parts()
    counts, rejects = _counts(source, parts)
    records = list(source.some(sampled).read() if isinstance(source, FolderSource) else _sample(parts, sampled))
    shorter = sorted(min(each.pixels.shape[:2]) for each in records if isinstance(each, SourceImage))
    median = shorter[len(shorter) // 2] if shorter else 0
    census = getattr(source, "census", None)
    return Preview(
        name=source.name,
        kind=source.kind,
        records=len(source),
        counts=counts,
        rejects=rejects,
        files=census.files if census else None,
        companions=dict(census.companions) if census else {},
        sampled=len(records),
        unreadable=dict(Counter(each.reason for each in records if isinstance(each, Reject))),
        sides=(shorter[0], median, shorter[-1]) if shorter else None,
        resolution=min(_LARGEST, max(_SMALLEST, 1 << (median.bit_length() - 1))) if shorter else None,
        notes=source.notes,
    )


def _counts(source: Source, parts: Sequence[Part]) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    names = (*source.class_names, "unlabelled")
    counts: Counter[tuple[SplitName | None, int]] = Counter()
    rejects: Counter[str] = Counter()
    if isinstance(source, FolderSource):
        counts, rejects = source.count()
    for part in parts:
        if not isinstance(part, ImageFiles):
            return {}, {}
        for item in part.items:
            if item.blob is None:
                rejects[item.reason] += 1
            else:
                counts[item.split, item.label] += 1
    found: dict[str, dict[str, int]] = {}
    for split, label in sorted(counts, key=lambda key: (key[0] == "test", key[1] < 0, key[1])):
        found.setdefault(split or "all", {})[names[label]] = counts[split, label]
    return found, dict(rejects)


def _sample(parts: Sequence[Part], most: int) -> Iterator[SourceImage | Reject]:
    """Yield some records from all over a source."""
    chosen = spread(parts, most)
    each = -(-most // max(1, len(chosen)))
    for part in chosen:
        if isinstance(part, ImageFiles):
            part = ImageFiles.of(spread([item for item in part.items if item.blob], each), part.background)
        yield from islice(part.read(), each)
