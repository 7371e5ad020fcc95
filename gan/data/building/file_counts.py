"""Every file of a source accounted for: an image, a companion of images, or a reject."""

from collections.abc import Mapping
from dataclasses import dataclass

from gan.data.building.plan import Plan
from gan.data.records import Source
from gan.data.sources.census import Census


@dataclass(frozen=True)
class FileCounts:
    """What the files of a source are; the three counts add up to all of them.

    Attributes:
        files: all of them.
        images: those that are in the dataset, or left out by `class_map`; or the files that hold images.
        companions: what is no image of the dataset and was not expected to be one, by what it is.
        rejects: those of which each has a reason.
        holders: whether files hold many images each.
    """

    files: int
    images: int
    companions: Mapping[str, int]
    rejects: int
    holders: bool = False

    @property
    def what(self) -> str:
        """What those are that are neither companions nor rejects."""
        return "with images" if self.holders else "images"


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
    counts = file_counts(census, int(plan.kept.sum()) + plan.left_out - more, sum(rejects.values()))
    assert counts.files == counts.images + sum(counts.companions.values()) + counts.rejects, (source.name, counts)
    return counts


def file_counts(census: Census, images: int, rejects: int) -> FileCounts:
    """Put the counts together, by images and rejects where each file is one, else by the files that hold them."""
    if census.holders:
        return FileCounts(census.files, census.holders, dict(census.companions), census.strays, holders=True)
    return FileCounts(census.files, images, dict(census.companions), rejects - census.absent)
