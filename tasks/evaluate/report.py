"""The page about one evaluation: how good, how far to trust it, how it looks; one HTML file that stands alone."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan.evaluation.pictures import Neighbour, Pair, Pictures, Strip
from gan.metrics.evaluation import Evaluation, Metric
from tasks.reports.bars import Bar, bar, bar_scale, number
from tasks.reports.charts import FRAME, Curve, plot
from tasks.reports.metric_table import bounds, metric_groups, texts
from tasks.reports.page import data_uris, fitting_side, render

# Beyond these a page grows without telling more.
CLASSES_LISTED = 2_000
CLASSES_PICTURED = 50
PAIRS_PICTURED = 12
CURVES_DRAWN = 24
WARNINGS_LISTED = 100
_STRIP_BYTES, _PAIR_BYTES = 2_500_000, 1_500_000  # of all pictures of a section, before PNG and base64
_STRIP_TILE, _PAIR_TILE = 64, 96  # about how wide a picture is shown, in pixels
_PAGE, _GAP = 1024, 4  # how wide the page is, and what is between two pictures
_ROWS = 8  # of pictures, shared among the classes


class ScoredClass(NamedTuple):
    """A class with its score."""

    name: str
    value: str
    interval: tuple[str, str] | None
    bar: Bar


class PictureGroup(NamedTuple):
    """Pictures under one name: `[n, R, R, C]` uint8 or data URIs by what they are, some with a score."""

    name: str
    parts: dict[str, Any]
    scores: dict[str, str]


class Gallery(NamedTuple):
    """Groups of pictures of one size.

    Attributes:
        groups: what is shown.
        sides: what the pictures of a group are.
        total: how many groups there were.
        tile: how wide a picture is shown, in pixels.
        columns: pictures of a part beside each other.
        side: of the pictures, if they were shrunk.
        crisp: whether each pixel is enlarged to a square.
    """

    groups: list[PictureGroup]
    sides: list[str]
    total: int
    tile: int
    columns: int
    side: int | None
    crisp: bool


def evaluation_html(
    *,
    title: str,
    subject: Mapping[str, str],
    evaluation: Evaluation,
    verdict: str = "",
    pictures: Pictures | None = None,
    curves: Sequence[Curve] = (),
    best_kimg: float | None = None,
) -> str:
    """Describe an evaluation; of what is empty the page says nothing.

    Nothing of the time or place goes in: the same arguments give the same page.

    Args:
        title: what was evaluated.
        subject: facts about it by name, as its version and the dataset's md5.
        evaluation: scores, protocol and warnings.
        verdict: what follows, in a sentence.
        pictures: samples, nearest neighbours and the pairs most like copies, the worst first.
        curves: what was measured during training.
        best_kimg: when the best checkpoint was written.
    """
    pictures = pictures or Pictures()
    plots = [drawn for curve in curves[:CURVES_DRAWN] if (drawn := plot(curve, best_kimg))]
    return render(
        "evaluation_report.html",
        title=title,
        subject=subject,
        verdict=verdict,
        warnings=evaluation.warnings[:WARNINGS_LISTED],
        more_warnings=max(0, len(evaluation.warnings) - WARNINGS_LISTED),
        scores=metric_groups(evaluation.metrics, evaluation.baseline),
        classes=_class_rows(evaluation.per_class),
        listed=CLASSES_LISTED,
        samples=_samples(pictures.strips),
        neighbours=_cards([_neighbour(each) for each in pictures.neighbours]),
        feature_copies=_cards([_pair(each) for each in pictures.feature_copies]),
        pixel_copies=_cards([_pair(each) for each in pictures.pixel_copies]),
        plots=plots,
        best=number(best_kimg) if best_kimg is not None and any(each.best for each in plots) else "",
        frame=FRAME,
        protocol={name.replace("_", " "): _text(value) for name, value in evaluation.protocol.model_dump().items()},
    )


def _class_rows(per_class: Mapping[str, Metric]) -> list[ScoredClass]:
    """Return the classes with bars on one scale, the worst first."""
    scale = bar_scale([end for metric in per_class.values() for end in (metric.value, *(bounds(metric) or ()))])
    worst_first = sorted(per_class.items(), key=lambda item: -item[1].value)
    return [ScoredClass(name, *texts(metric), bar(metric.value, bounds(metric), scale)) for name, metric in worst_first]


def _samples(strips: Sequence[Strip]) -> Gallery | None:
    """Show whole rows of pictures of the first classes, more of them where there are few classes."""
    named = [(strip.name, {"real": strip.real, "generated": strip.generated}) for strip in strips[:CLASSES_PICTURED]]
    shown = [
        PictureGroup(name, {side: images for side, images in both.items() if len(images)}, {}) for name, both in named
    ]
    if not _arrays(shown):
        return None
    tile = _tile(shown, _STRIP_TILE)
    columns = _PAGE // len(_sides(shown)) // (tile + _GAP)
    most = columns * max(1, _ROWS // len(shown))
    whole = [
        group._replace(parts={side: _whole_rows(images[:most], columns) for side, images in group.parts.items()})
        for group in shown
    ]
    return _gallery(whole, len(strips), tile, columns, _STRIP_BYTES)


def _whole_rows(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    return images[: len(images) // columns * columns or len(images)]


def _neighbour(each: Neighbour) -> PictureGroup:
    parts = {"generated": each.generated, "by features": each.in_features, "by pixels": each.in_pixels}
    distances = {"by features": each.feature_distance, "by pixels": each.pixel_distance}
    return PictureGroup(
        each.label,
        {name: image[np.newaxis] for name, image in parts.items()},
        {name: f"distance {_three(distance)}" for name, distance in distances.items()},
    )


def _pair(each: Pair) -> PictureGroup:
    parts = {"generated": each.generated[np.newaxis], "training image": each.training[np.newaxis]}
    return PictureGroup(each.label, parts, {"training image": f"score {_three(each.score)}"})


def _cards(groups: list[PictureGroup]) -> Gallery | None:
    shown = groups[:PAIRS_PICTURED]
    return _gallery(shown, len(groups), _tile(shown, _PAIR_TILE), 1, _PAIR_BYTES) if shown else None


def _gallery(groups: Sequence[PictureGroup], total: int, tile: int, columns: int, most_bytes: int) -> Gallery:
    arrays = _arrays(groups)
    resolution = max(images.shape[1] for images in arrays)
    side = fitting_side(resolution, sum(len(images) * images.shape[3] for images in arrays), most_bytes)
    packed = [
        group._replace(parts={name: data_uris(images, side) for name, images in group.parts.items()})
        for group in groups
    ]
    shrunk_to = side if side < resolution else None
    return Gallery(packed, _sides(groups), total, tile, columns, shrunk_to, tile % resolution == 0)


def _tile(groups: Sequence[PictureGroup], wanted: int) -> int:
    """Return how wide to show pictures: small ones a whole number of times enlarged, so that pixels stay squares."""
    resolution = max(images.shape[1] for images in _arrays(groups))
    return wanted // resolution * resolution if 2 * resolution <= wanted else wanted


def _sides(groups: Sequence[PictureGroup]) -> list[str]:
    """Return what the parts of any group are."""
    return list(dict.fromkeys(side for group in groups for side in group.parts))


def _arrays(groups: Sequence[PictureGroup]) -> list[NDArray[np.uint8]]:
    return [images for group in groups for images in group.parts.values()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _three(value: float) -> str:
    """Return three digits, the last of which may be zero: what is compared has equal length."""
    return f"{value:#.3g}".rstrip(".")
