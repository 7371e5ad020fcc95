"""Class names out of labels as a source writes them, all taken as text."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gan.data.records import UNLABELLED
from gan.errors import DatasetError

MAX_CLASSES = 100_000
_MAX_NAME = 1000  # characters; what is longer is a caption
_WHOLE = re.compile(r"[+-]?[0-9]+")
_FRACTION = re.compile(r"[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Classes:
    """Classes and how the source writes each of them.

    Attributes:
        names: class names by label.
        index: label as the source writes it to an index into `names`, or -1 for none; others are out of range.
    """

    names: tuple[str, ...]
    index: Mapping[str, int]


def declared_classes(names: Iterable[str]) -> Classes:
    """Return classes whose names are known, their labels being numbers from 0."""
    known = tuple(names)
    return Classes(known, {str(label): label for label in range(len(known))} | {"": UNLABELLED, "-1": UNLABELLED})


def found_classes(labels: Collection[str], where: str) -> Classes:
    """Return the classes that labels make: in numeric order where every label is a whole number, else sorted as text.

    Args:
        labels: each different label; nothing, NaN and -1 are none.
        where: what holds them, for messages.

    Raises:
        DatasetError: too many, too long, or no whole numbers.
    """
    refuse_too_many(labels, where)
    for label in labels:
        if len(label) > _MAX_NAME:
            raise DatasetError(f"{where} holds {label[:60]!r} and so on, a text and no class: give other labels")
        if _FRACTION.fullmatch(label):
            raise DatasetError(f"{where} holds {label!r}, which is no class: write whole numbers or names")
    nothing = {label for label in labels if is_nothing(label)}
    if all(_WHOLE.fullmatch(label) for label in labels if label not in nothing):
        numbers = {label: int(label) for label in labels if label not in nothing}
        order = {number: index for index, number in enumerate(sorted({each for each in numbers.values() if each >= 0}))}
        order[-1] = UNLABELLED
        index = {label: order[number] for label, number in numbers.items() if number in order}
        none = dict.fromkeys(nothing | {""}, UNLABELLED)
        return Classes(tuple(str(number) for number in order if number >= 0), index | none)
    names = tuple(sorted(set(labels) - nothing - {"-1"}))
    none = dict.fromkeys(nothing | {"", "-1"}, UNLABELLED)
    return Classes(names, {name: index for index, name in enumerate(names)} | none)


def is_nothing(label: str) -> bool:
    """Return whether a label is what tables write where there is none: nothing, or pandas' NaN."""
    return label.lower() in {"", "nan"}


def refuse_too_many(labels: Collection[str], where: str) -> None:
    """Refuse labels that are no classes, before they fill the memory.

    Raises:
        DatasetError: more than `MAX_CLASSES` different ones.
    """
    if len(labels) > MAX_CLASSES:
        raise DatasetError(
            f"{where} holds more than {MAX_CLASSES:,} different values, too many for classes: give other labels"
        )
