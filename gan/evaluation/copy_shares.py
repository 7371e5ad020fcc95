"""What shares of copies are called, and from where on they are more than chance."""

FEATURES, PIXELS = "copies", "pixel_copies"
LEVEL = 0.005
"""Of honest images that may be flagged by chance; at twice that, 1 % of copies among 1,000 images drowns in it."""


def beyond_chance(low: float, of_holdout: float) -> bool:
    """Say whether there are copies, by the lower end of their share's interval and the share of held out images.

    A holdout that has near copies of training images itself sets the mark.
    """
    return low > max(LEVEL, of_holdout)
