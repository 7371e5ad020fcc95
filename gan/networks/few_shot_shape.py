"""What the networks for few images and the costs of them both go by; without torch."""

SKIPPED = 4
"""Stages between one that excites and the one that it excites: 16 times as many pixels along the side."""
LAST_KERNEL = 4
"""Side of the convolution of a head that judges, at most."""


def convolutions_of(index: int) -> int:
    """Convolutions of the generator's stage with this number, from 1 up: two and one in turn."""
    return 1 + index % 2


def mixed_widths(finest: int, scales: int) -> list[int]:
    """Channels of each scale of the features as it is mixed, from the finest."""
    return [finest * 2**scale for scale in range(scales)]
