"""The page about one ingest: what came in, how it looks, what was left out and why; one HTML file that stands alone."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan.data.building.build import Built
from gan.data.building.judge import BLANK, NO_NUMBER, TOO_SMALL, WRONG_ASPECT
from gan.data.building.plan import DUPLICATE, FEW_IMAGES, IN_HOLDOUT, OTHER_LABEL
from gan.data.building.rejects import count_reasons, read_rejects
from gan.data.files.tree import SYMBOLIC_LINK
from gan.data.near_duplicates.near_pairs import LEAST
from gan.data.records import OUT_OF_RANGE, Reject
from gan.data.store.dataset import DatasetInfo
from gan.text.shown import shown
from tasks.ingest.found import Fact, found_facts
from tasks.ingest.near_report import NEAR_MEANINGS, near_section
from tasks.reports.page import data_uris, render, thumbnail_side

# Beyond these a page grows without telling more.
CLASSES_LISTED = 2_000
CLASSES_PICTURED = 50
REJECTS_LISTED = 1_000
NOTES_OPEN, NOTES_LISTED = 10, 1_000
_PIXEL_BYTES = 3_500_000  # of all pictures of a page, before PNG and base64

_MEANINGS = {
    DUPLICATE: "equal, pixel for pixel, to an image of the same class that is kept",
    OTHER_LABEL: "equal to an image of another class: one of the two labels is wrong",
    IN_HOLDOUT: "equal to an image that is held out: to train on it would spoil the measurement",
    **NEAR_MEANINGS,
    FEW_IMAGES: "its class has fewer images to train on than data.min_class_images",
    TOO_SMALL: "its shorter side has fewer pixels than data.min_side",
    WRONG_ASPECT: "its longer side is more than data.max_aspect times the shorter",
    BLANK: "one colour from edge to edge",
    NO_NUMBER: "nothing but infinity and what is not a number",
    OUT_OF_RANGE: "its label names no class",
    SYMBOLIC_LINK: "links are not followed: put the file itself there",
    "not an image": "its name says image, its bytes do not",
    "truncated image": "the end of the file is missing: copy it again",
    "cut short": "the end of the file is missing: copy it again",
}


class CountedClass(NamedTuple):
    """Images of one class; widths of its bars in per cent of the largest class."""

    name: str
    train: int
    test: int
    train_width: float
    test_width: float

    def counts(self, columns: int) -> tuple[int, ...]:
        """Return what a table of one column has of it, or of two: with both together."""
        return (self.train,) if columns == 1 else (self.train, self.test, self.train + self.test)


class SampleStrip(NamedTuple):
    """The sample images of one class, as data URIs."""

    name: str
    images: list[str]


def report_html(built: Built, md5: str | None, quarantine: Path, change: str = "") -> str:
    """Describe a dataset that was made.

    Nothing of the time or place goes in: the same arguments give the same page.

    Args:
        built: what `build_dataset` returned.
        md5: the version's name; None where none was made.
        quarantine: the list of rejects; it need not be there.
        change: a sentence on what differs from the version before.
    """
    info = built.info
    side = pictured_side(built.samples)
    return _render(
        title=info.name,
        info=info,
        md5=md5,
        change=change,
        message="",
        found=list(_found(built)),
        facts=list(_facts(built)),
        notes=built.notes[:NOTES_LISTED],
        more_notes=max(0, len(built.notes) - NOTES_LISTED),
        classes=class_rows(info.counts),
        strips=strips(built.samples, side),
        side=side,
        shrunk=side < info.resolution,
        near=near_section(built.near, info) if built.near else None,
        **_rejects(info.rejects, quarantine),
    )


def failure_html(source_name: str, message: str, quarantine: Path) -> str:
    """Describe an ingest that was refused.

    Args:
        source_name: what the dataset would have been called.
        message: the error's sentence.
        quarantine: the list of rejects; it need not be there.
    """
    # The folder is of the machine, not of the dataset.
    message = message.replace(shown(str(quarantine)), quarantine.name)
    rejects = _rejects(count_reasons(quarantine) if quarantine.exists() else {}, quarantine)
    return _render(title=source_name, info=None, md5=None, change="", message=message, near=None, **rejects)


def class_rows(counts: Mapping[str, Mapping[str, int]]) -> list[CountedClass]:
    """Return the images per class, with bars beside each other's; of one split, all are `train`.

    Args:
        counts: by split and class; the first split has all classes, or the second has some more.
    """
    first, second = [*counts.values(), {}, {}][:2]
    both = [(name, first.get(name, 0), second.get(name, 0)) for name in dict.fromkeys((*first, *second))]
    unit = max(1, *(train + test for _, train, test in both)) / 100
    return [CountedClass(name, train, test, train / unit, test / unit) for name, train, test in both]


def strips(samples: Mapping[str, NDArray[np.uint8]], side: int) -> list[SampleStrip]:
    """Return the pictures of the first classes, shrunk to a side."""
    return [SampleStrip(name, data_uris(images, side)) for name, images in islice(samples.items(), CLASSES_PICTURED)]


def pictured_side(samples: Mapping[str, NDArray[np.uint8]]) -> int:
    """Return to which side pictures are shrunk so that a page stays small."""
    return thumbnail_side(samples, CLASSES_PICTURED, _PIXEL_BYTES)


def _found(built: Built) -> Iterator[Fact]:
    """Yield what was found in the source."""
    info = built.info
    splits = {"train": info.num_train, "test": info.num_test} if info.split == "source" else {}
    enlarged = _enlarged(built.sides, info.resolution)
    return found_facts(info.source_kind, built.files, info.asked, splits, info.num_classes, built.sides, enlarged)


def _facts(built: Built) -> Iterator[Fact]:
    """Yield what is to be said of a dataset: term, values, remark."""
    info = built.info
    yield from _origin(info)
    yield "Images", [f"{info.resolution} × {info.resolution} pixels", "grey" if info.channels == 1 else "RGB"], ""
    yield "Crop", [info.crop], {"pad": f"with bars of {info.background}"}.get(info.crop, "")
    yield "Filter", [info.filter], ""
    yield "Background", [info.background], "under transparent pixels"
    yield from _windows(info)
    if built.near is None:
        yield (
            "Near duplicates",
            ["not looked for"],
            f"ganflow ingest --near-duplicates looks for them among {LEAST} images or more",
        )
    wanted = f"by the hash of their pixels, {100 * (info.holdout_fraction or 0):g} % wanted"
    share = f"{100 * info.num_test / max(1, info.num_train + info.num_test):.1f} % of the images"
    yield "Held out", [share], "as the source says" if info.split == "source" else wanted
    if info.num_classes > 1:
        fewest, most = min(info.counts["train"].values()), max(info.counts["train"].values())
        sizes = (
            f"{most:,} images to train on in each" if fewest == most else f"{fewest:,} to {most:,} images to train on"
        )
        yield "Class sizes", [sizes], ""
    names = ("",) if info.channels == 1 else ("R ", "G ", "B ")
    moments = [f"{name}{mean:.3f} ± {std:.3f}" for name, mean, std in zip(names, info.mean, info.std, strict=True)]
    yield "Mean ± standard deviation", moments, "of the training images, on a scale of 0 to 1"


def _windows(info: DatasetInfo) -> Iterator[Fact]:
    """Yield which values of images of more than 8 bits were made 0 to 255, where there are such images."""
    if info.window:
        words = [f"{group}: {low:g} to {high:g}" for group, (low, high) in (info.windows or {}).items()]
        yield "Values shown as 0 to 255", words or ["as each file says"], f"data.window={info.window}"


def _origin(info: DatasetInfo) -> Iterator[Fact]:
    """Yield what was said of the images as a whole; that nobody said a licence is said."""
    licence = (info.licence, "") if info.licence else ("not said", "ganflow ingest --license says it")
    yield "Licence", [licence[0]], licence[1]
    for term, text in (("Published at", info.source_url), ("Credit", info.credit), ("Description", info.description)):
        if text:
            yield term, [text], ""


def _enlarged(sides: tuple[int, int, int], resolution: int) -> str:
    _, median, longest = sides
    enlarged = "all were" if longest < resolution else "most were" if median < resolution else ""
    return f"{enlarged} enlarged to {resolution}" if enlarged else ""


def reason_rows(counts: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Return reasons of rejects, how many there are of each, and what it means, the most first."""
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(reason, count, _MEANINGS.get(reason, "")) for reason, count in rows]


def _rejects(counts: Mapping[str, int], quarantine: Path) -> dict[str, Any]:
    rejects: list[Reject] = read_rejects(quarantine, REJECTS_LISTED) if quarantine.exists() else []
    return {
        "reasons": reason_rows(counts),
        "rejects": rejects,
        "num_rejects": sum(counts.values()),
        "quarantine": quarantine.name,
    }


def _render(**values: Any) -> str:
    return render("dataset_report.html", notes_open=NOTES_OPEN, listed=CLASSES_LISTED, **values)
