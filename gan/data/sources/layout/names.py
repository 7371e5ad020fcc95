"""Names of classes: which of them mean the same, and their order."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from gan.data.sources.layout.question import question
from gan.text.shown import shown

_WHOLE = re.compile(r"-?[0-9]{1,18}")


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort class names: as numbers where all are whole numbers, else as text."""
    found = sorted(set(names))
    if all(_WHOLE.fullmatch(name) for name in found):
        found.sort(key=int)
    return tuple(found)


def same_names(parents: Mapping[str, Mapping[str, int]], where: str) -> tuple[dict[str, str], list[str]]:
    """Find names that differ only in how Unicode spells them, in spaces or in case.

    Args:
        parents: folder to the names in it and how many images each has.
        where: what holds them, for messages.

    Returns:
        Each name and the one that stands for it, the one with the most images; and a note for each that is joined.

    Raises:
        DatasetError: two in one folder differ in case.
    """
    counts: defaultdict[str, int] = defaultdict(int)
    for names in parents.values():
        for name, count in names.items():
            counts[name] += count
        _refuse_cases(names, where)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(counts):
        groups[_without_space(name).casefold()].append(name)
    chosen: dict[str, str] = {}
    notes = []
    for group in groups.values():
        first = max(group, key=lambda name: (counts[name], unicodedata.is_normalized("NFC", name)))
        chosen |= dict.fromkeys(group, first)
        notes += [
            f"the classes {shown(first)!r} and {shown(name)!r} are taken for one, called {shown(first)!r}"
            for name in group
            if name != first
        ]
    return chosen, notes


def _refuse_cases(names: Iterable[str], where: str) -> None:
    seen: dict[str, str] = {}
    for name in sorted(names):
        one = _without_space(name)
        other = seen.setdefault(one.casefold(), one)
        if other != one:
            raise question(
                where,
                f"two classes «{shown(other)}» and «{shown(one)}»",
                "one class that is spelled in two ways",
                "rename one of the two folders, or join them",
            )


def _without_space(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())
