"""Which class is rare, and how a full class is made rare: the rows that stay are known before anything is trained."""

import numpy as np

from gan.errors import InputError
from gan.usefulness.arms import Rows
from gan.usefulness.classifier import Labels


def smallest_class(labels: Labels) -> int:
    """Return the class with the fewest images of labels [N] int64 from 0 up, the first of equally small ones."""
    classes, counts = np.unique(labels, return_counts=True)
    return int(classes[counts.argmin()])


def reduce_class(labels: Labels, rare_class: int, keep: float | int = 0.1) -> Rows:
    """Return the rows of a dataset in which one class has lost most of its images.

    The choice follows from the arguments alone: a generator trained on these rows has not seen the images that
    `augmentation_gain` leaves out with the same arguments.

    Args:
        labels: [N] int64.
        rare_class: the class to reduce.
        keep: a float is the share of its images that stay, at least one image; an int is their number.

    Returns:
        [n] int64, ascending: all rows of the other classes, and those of the rare class that stay.

    Raises:
        InputError: the class cannot keep so many images.
    """
    rows = np.flatnonzero(labels == rare_class)
    count = keep if isinstance(keep, int) else max(1, round(keep * len(rows)))
    if not 1 <= count <= len(rows) or keep <= 0:
        raise InputError(f"class {rare_class} has {len(rows)} images and cannot keep {keep}: choose 1 to {len(rows)}")
    left_out = np.random.default_rng(0).permutation(rows)[count:]
    return np.setdiff1d(np.arange(len(labels)), left_out)


def missing_images(labels: Labels, rare_class: int) -> int:
    """Return how many images a class lacks to the median size of the other classes of labels [N] int64.

    Raises:
        InputError: it lacks none.
    """
    counts = np.bincount(labels)
    have, others = int(counts[rare_class]), int(np.median(np.delete(counts, rare_class)))
    if have >= others:
        raise InputError(
            f"class {rare_class} keeps {have} images but the median of the other classes is {others}: "
            "keep fewer or choose a smaller class"
        )
    return others - have
