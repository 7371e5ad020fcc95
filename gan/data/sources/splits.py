"""The split that a source itself makes, told by the names of its folders or files."""

import re
from collections.abc import Iterable

from gan.data.records import SplitName

TRAIN = {"train", "training"}
TEST = {"test", "testing", "holdout"}
VALIDATION = {"val", "valid", "validation", "dev"}


def split_names(names: Iterable[str]) -> dict[str, SplitName] | None:
    """Tell which of two splits each of these names means.

    Args:
        names: such as `train`, `test`, `validation`.

    Returns:
        The split of every name, or None where they are no split: one of them means nothing, or there is nothing to
        train on, or nothing held out. Beside a test split a validation split is there to train on.
    """
    words = {name: name.lower() for name in names}
    known = set(words.values())
    held_out = known & TEST or known & VALIDATION
    if not known & TRAIN or not held_out or known - TRAIN - TEST - VALIDATION:
        return None
    return {name: "test" if word in held_out else "train" for name, word in words.items()}


def leading_word(path: str) -> str:
    """Return the word that a path begins with, as in `train-00000-of-00002.parquet` and `train/0.parquet`."""
    match = re.match(r"[A-Za-z]+", path)
    return match[0] if match else ""
