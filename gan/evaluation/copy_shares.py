"""What is said of copies: each figure beside its control, and from where on it is more than chance."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gan.metrics.copy_control import Control
from gan.metrics.evaluation import Metric

FEATURES, PIXELS = "copies", "pixel_copies"
NEARER = {FEATURES: "nearer", PIXELS: "pixel_nearer"}
"""The figure that compares all images, beside each share of copies."""
LEVEL = 0.005
"""Of honest images that may be flagged by chance; at twice that, 1 % of copies among 1,000 images drowns in it."""
EXPECTED = 0.5
"""How often, by chance, a generated image is nearer to training images than they are to one another."""

_COPIES = "{found:.1%} of the generated images are near copies of training images {how}, and {real:.1%} of {control}"
_NEARER = (
    "a generated image is nearer to a training image than training images are to one another in {found:.1%} of pairs, "
    "{how} (50 % by chance, and up to {real:.1%} between halves of them)"
)
_HOW = {FEATURES: "by features", PIXELS: "by pixels"}


class CopyFigure(NamedTuple):
    """A figure on copies.

    Attributes:
        name: of it, without a number of images.
        how: images were compared, as `by pixels`.
        found: of the generated images.
        expected: by chance.
        control: of the control.
        shown: whether it is more than chance and the control explain.
        said: what it is, in words.
    """

    name: str
    how: str
    found: Metric
    expected: float
    control: Metric
    shown: bool
    said: str


def copy_figures(
    metrics: Mapping[str, Metric], of_control: Mapping[str, Metric], control: Control | None
) -> Iterator[CopyFigure]:
    """Yield what was looked at; nothing without a control.

    There are copies where the lower end of their share's interval is above the level and the share of the control: one
    that has near copies of training images itself sets the mark. Images are nearer than chance brings them where the
    lower end is above the control, which is above one half.

    Args:
        metrics: of the generated images, by name without a number of images.
        of_control: likewise.
        control: which images that is.
    """
    for share, nearer in NEARER.items() if control else ():
        for name in (share, nearer):
            found, beside = metrics.get(name), of_control.get(name)
            if found is None or found.low is None or beside is None:
                continue
            if name == share:
                expected, mark, said = LEVEL, max(LEVEL, beside.value), _COPIES
            else:
                expected, mark, said = EXPECTED, beside.value, _NEARER
            said = said.format(found=found.value, how=_HOW[share], real=beside.value, control=control)
            yield CopyFigure(name, _HOW[share], found, expected, beside, found.low > mark, said)
