"""The shape of EfficientNet-lite0, and where its four scales end; without torch, for what a configuration costs."""

from collections.abc import Iterator
from typing import NamedTuple

STEM_WIDTH = 32
STRIDES = (4, 8, 16, 32)
"""Pixels of an image along the side of a pixel of each scale."""
WIDTHS = (24, 40, 112, 320)
"""Channels of the features at each scale."""


class Block(NamedTuple):
    """An inverted residual block.

    Attributes:
        before: channels of its input.
        after: channels of its output.
        expansion: of its inner channels over those of its input.
        kernel: side of the depthwise convolution.
        stride: of that convolution.
    """

    before: int
    after: int
    expansion: int
    kernel: int
    stride: int

    @property
    def residual(self) -> bool:
        """Whether its input is added to its output."""
        return self.stride == 1 and self.before == self.after


# repetitions, output, expansion, kernel, stride of the first; by the scale that they belong to
_TABLE = (
    ((1, 16, 1, 3, 1), (2, 24, 6, 3, 2)),
    ((2, 40, 6, 5, 2),),
    ((3, 80, 6, 3, 2), (3, 112, 6, 5, 1)),
    ((4, 192, 6, 5, 2), (1, 320, 6, 3, 1)),
)


def blocks_of_scales() -> list[list[tuple[int, Block]]]:
    """Return the blocks that lead to each of the four scales, each with its number in the whole network.

    Reference: Tan and Le, ICML 2019, table 1.
    """
    return [list(scale) for scale in _scales()]


def _scales() -> Iterator[list[tuple[int, Block]]]:
    before, number = STEM_WIDTH, 0
    for rows in _TABLE:
        found = []
        for repetitions, after, expansion, kernel, first_stride in rows:
            for repetition in range(repetitions):
                stride = first_stride if repetition == 0 else 1
                found.append((number, Block(before, after, expansion, kernel, stride)))
                before, number = after, number + 1
        yield found
