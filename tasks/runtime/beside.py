"""Something small that a thread does again and again beside the work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beside(name: str, act: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run a function in a thread while the block runs, and wait for its end after that.

    Args:
        name: of the thread.
        act: is given an event that is set when the block is left, and returns soon after.
    """
    over = threading.Event()
    thread = threading.Thread(target=act, args=(over,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
