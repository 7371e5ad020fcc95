"""Every file of a source accounted for: an image, a companion of images, or a reject."""

from collections.abc import Mapping
from dataclasses import dataclass

from gan.data.building.plan import Plan
from gan.data.records import Source


@dataclass(frozen=True)
class FileCounts:
    """What the files of a source are; the three counts add up to all of them.

    Attributes:
        files: all of them.
        images: those that are in the dataset, or left out by `class_map`.
        companions: what is no image of the dataset and was not expected to be one, by what it is.
        rejects: those of which each has a reason.
    """

    files: int
    images: int
    companions: Mapping[str, int]
    rejects: int


def count_files(source: Source, plan: Plan, rejects: Mapping[str, int]) -> FileCounts | None:
    """Count the files of a source; None where its records are no files."""
    census = getattr(source, "census", None)
    if census is None:
        return None
    rejected = sum(rejects.values()) - census.absent
    counts = FileCounts(census.files, int(plan.kept.sum()) + plan.left_out, census.companions, rejected)
    assert counts.files == counts.images + sum(counts.companions.values()) + counts.rejects, (source.name, counts)
    return counts
