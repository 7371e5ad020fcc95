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


def count_files(source: Source, plan: Plan, rejects: Mapping[str, int], *, more: int = 0) -> FileCounts | None:
    """Count the files of a source; None where its records are no files.

    Args:
        source: the files.
        plan: what became of their images.
        rejects: by reason.
        more: how many images there are beyond the first of a file, as the frames of a DICOM file.
    """
    census = getattr(source, "census", None)
    if census is None:
        return None
    rejected = sum(rejects.values()) - census.absent
    images = int(plan.kept.sum()) + plan.left_out
    counts = FileCounts(census.files, images - more, census.companions, rejected)
    assert counts.files == counts.images + sum(counts.companions.values()) + counts.rejects, (source.name, counts)
    return counts
