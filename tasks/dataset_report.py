"""The page about one ingest: what came in, how it looks, what was left out and why; one HTML file that stands alone."""

import base64
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from gan.data.build import Built
from gan.data.dataset import DatasetInfo
from gan.data.encode import BLANK, TOO_SMALL, WRONG_ASPECT
from gan.data.files.tree import SYMBOLIC_LINK
from gan.data.plan import DUPLICATE, FEW_IMAGES, IN_HOLDOUT, OTHER_LABEL
from gan.data.png import encode_pngs
from gan.data.prepare import prepare
from gan.data.quarantine import count_reasons, read_quarantine
from gan.data.records import OUT_OF_RANGE, Reject

# Beyond these a page grows without telling more.
CLASSES_LISTED = 2_000
CLASSES_PICTURED = 50
REJECTS_LISTED = 1_000
_NOTES_OPEN, _NOTES_LISTED = 10, 1_000
_PIXEL_BYTES = 3_500_000  # of all pictures of a page, before PNG and base64
_SIDES = (96, 64, 48, 32, 16)  # to which pictures may be shrunk

_KINDS = {
    "digits": "scikit-learn's handwritten digits",
    "folder": "image files",
    "idx": "IDX files, as MNIST is published",
    "cifar": "binary files, as CIFAR is published",
    "parquet": "Parquet files",
    "webdataset": "WebDataset tars",
    "huggingface": "a Hugging Face dataset",
}
_MEANINGS = {
    DUPLICATE: "equal, pixel for pixel, to an image of the same class that is kept",
    OTHER_LABEL: "equal to an image of another class: one of the two labels is wrong",
    IN_HOLDOUT: "equal to an image that is held out: to train on it would spoil the measurement",
    FEW_IMAGES: "its class has fewer images to train on than data.min_class_images",
    TOO_SMALL: "its shorter side has fewer pixels than data.min_side",
    WRONG_ASPECT: "its longer side is more than data.max_aspect times the shorter",
    BLANK: "one colour from edge to edge",
    OUT_OF_RANGE: "its label names no class",
    SYMBOLIC_LINK: "links are not followed: put the file itself there",
    "not an image": "its name says image, its bytes do not",
    "truncated image": "the end of the file is missing: copy it again",
    "cut short": "the end of the file is missing: copy it again",
}


class ClassRow(NamedTuple):
    """Images of one class; widths of its bars in per cent of the largest class."""

    name: str
    train: int
    test: int
    train_width: float
    test_width: float


class Strip(NamedTuple):
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
    side = thumbnail_side(built.samples, CLASSES_PICTURED, _PIXEL_BYTES)
    return _render(
        title=info.name,
        info=info,
        md5=md5,
        change=change,
        message="",
        facts=list(_facts(built)),
        notes=built.notes[:_NOTES_LISTED],
        more_notes=max(0, len(built.notes) - _NOTES_LISTED),
        classes=class_rows(info),
        strips=[Strip(name, _uris(images, side)) for name, images in islice(built.samples.items(), CLASSES_PICTURED)],
        side=side,
        shrunk=side < info.resolution,
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
    message = message.replace(str(quarantine), quarantine.name)
    rejects = _rejects(count_reasons(quarantine) if quarantine.exists() else {}, quarantine)
    return _render(title=source_name, info=None, md5=None, change="", message=message, **rejects)


def visible(text: str) -> str:
    """Show characters that a screen hides or obeys, such as U+202E which reverses what follows, as `<U+202E>`."""
    return "".join(each if each.isprintable() else f"<U+{ord(each):04X}>" for each in text)


def short(text: str, most: int) -> str:
    """Leave out the middle of a text that is longer than `most` characters."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} … {text[-half:]}"


def class_rows(info: DatasetInfo) -> list[ClassRow]:
    """Return the images per class, with bars beside each other's."""
    counts = [(name, train, info.counts["test"].get(name, 0)) for name, train in info.counts["train"].items()]
    unit = max(1, *(train + test for _, train, test in counts)) / 100
    return [ClassRow(name, train, test, train / unit, test / unit) for name, train, test in counts]


def thumbnail_side(samples: Mapping[str, NDArray[np.uint8]], classes: int, most_bytes: int) -> int:
    """Return to which side to shrink the images of the first classes so that their pixels take `most_bytes` at most."""
    shown = list(islice(samples.values(), classes))
    if not shown:
        return 1
    _, resolution, _, channels = shown[0].shape
    pixels = sum(map(len, shown)) * channels
    sides = [resolution] if resolution <= _SIDES[0] else []
    sides += [side for side in _SIDES if side < resolution]
    return next((side for side in sides if pixels * side**2 <= most_bytes), sides[-1])


def thumbnails(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Shrink `[N, R, R, C]` uint8 images to `[N, side, side, C]`; smaller ones stay as they are."""
    _, resolution, _, channels = images.shape
    if resolution <= side:
        return images
    return np.stack(
        [prepare(image, resolution=side, crop="stretch", filter="lanczos", channels=channels) for image in images]
    )


def _facts(built: Built) -> Iterator[tuple[str, list[str], str]]:
    """Yield what is to be said of a dataset: term, values, remark."""
    info = built.info
    yield "Source", [_KINDS.get(info.source_kind, info.source_kind)], ""
    yield "Shorter side in the source", *_sides(built.sides, info.resolution)
    yield "Images", [f"{info.resolution} × {info.resolution} pixels", "grey" if info.channels == 1 else "RGB"], ""
    yield "Crop", [info.crop], {"pad": f"with bars of {info.background}"}.get(info.crop, "")
    yield "Filter", [info.filter], ""
    yield "Background", [info.background], "under transparent pixels"
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


def _sides(sides: tuple[int, int, int], resolution: int) -> tuple[list[str], str]:
    shortest, median, longest = sides
    if shortest == longest:
        values = [f"{shortest:,} pixels"]
    else:
        values = [f"{shortest:,} to {longest:,} pixels", f"median {median:,}"]
    enlarged = "all were" if longest < resolution else "most were" if median < resolution else ""
    return values, f"{enlarged} enlarged to {resolution}" if enlarged else ""


def _rejects(counts: Mapping[str, int], quarantine: Path) -> dict[str, Any]:
    rejects: list[Reject] = read_quarantine(quarantine, REJECTS_LISTED) if quarantine.exists() else []
    return {
        "reasons": [
            (reason, count, _MEANINGS.get(reason, ""))
            for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ],
        "rejects": rejects,
        "num_rejects": sum(counts.values()),
        "quarantine": quarantine.name,
    }


def _uris(images: NDArray[np.uint8], side: int) -> list[str]:
    return ["data:image/png;base64," + base64.b64encode(png).decode() for png in encode_pngs(thumbnails(images, side))]


def _render(**values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        # Every text of the page comes by here before it is escaped, names of files and classes among them.
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = "{:,}".format
    environment.filters["short"] = short
    environment.filters["width"] = "{:.2f}".format
    template = environment.get_template("dataset_report.html")
    return template.render(notes_open=_NOTES_OPEN, listed=CLASSES_LISTED, **values)
