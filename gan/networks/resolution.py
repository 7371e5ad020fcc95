"""How stages and patches make a resolution."""


def resolution_of(stages: int, patch: int) -> int:
    """Side in pixels of the images of a network that begins at 4x4 and doubles with every stage after the first."""
    return int(4 * 2 ** (stages - 1) * patch)
