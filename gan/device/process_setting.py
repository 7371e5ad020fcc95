"""Settings of a whole process, which threads want at once, and leave in any order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class ProcessSetting(Generic[T]):
    """A setting that holds while anybody wants it.

    Who puts back what he has found himself puts back another's setting, if that other leaves later.

    Args:
        begin: sets it when the first comes; returns what held before.
        end: puts that back when the last has left.

    Attributes:
        lock: under which both are called.
        holders: how many want it now.
        before: what held before the first of them; there once somebody has come.
    """

    def __init__(self, begin: Callable[[], T], end: Callable[[T], None]) -> None:
        self.begin = begin
        self.end = end
        self.before: T
        self.lock = Lock()
        self.holders = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Want it within this block."""
        with self.lock:
            if not self.holders:
                self.before = self.begin()
            self.holders += 1
        try:
            yield
        finally:
            with self.lock:
                self.holders -= 1
                if not self.holders:
                    self.end(self.before)
