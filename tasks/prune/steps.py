"""A thing that may go, together with how it is looked at once more and how it is removed."""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.prune.records import Item

Tell = Callable[[str], None]


class NeededError(Exception):
    """What was to go is needed by now; the message says by what."""


@dataclass(frozen=True)
class Step:
    """One step of a plan.

    Attributes:
        items: what goes by it, all or nothing.
        remove: removes it, if it is still not needed; raises `NeededError` otherwise. It is given a function to call
            with a sentence before each deletion.
    """

    items: tuple[Item, ...]
    remove: Callable[[Tell], None]


def need(why: str | None) -> None:
    """Raise NeededError where there is a reason."""
    if why is not None:
        raise NeededError(why)
