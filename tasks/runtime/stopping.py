"""What a command that is being stopped says and does last, and whose signal handlers hold meanwhile."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

LEAVING_SECONDS = 20.0
"""For what a process does last that is asked to end and not in a hurry; schedulers kill one 30 s after SIGTERM."""

_sentences: list[str] = []
_acts: list[Callable[[], object]] = []
_stopping = threading.Event()
_hurry = threading.Event()
_leaves_until = 0.0  # by the monotonic clock


@contextlib.contextmanager
def said_if_stopped(sentence: str) -> Iterator[None]:
    """Note how to go on, or what stands, if the command is stopped within the block; an inner block knows better."""
    _sentences.append(sentence)
    try:
        yield
    except Exception:
        _sentences.pop()
        raise
    # Kept where Ctrl-C leaves the block: it is about to be said.
    _sentences.pop()


def begin_to_stop() -> str:
    """Note that the process ends as soon as it can, and return what was noted last of how to go on."""
    _stopping.set()
    return _sentences[-1] if _sentences else "what was finished stands, and the same command can be given again"


def hurry() -> None:
    """Have `time_to_leave` give none: somebody waits at a terminal, or what would be left has another owner now."""
    _hurry.set()


@contextlib.contextmanager
def time_to_leave() -> Iterator[float]:
    """Take time, within a block that is being left, for something that is worth it; yields how many seconds.

    Raises:
        TimeoutError: there is none.
    """
    global _leaves_until
    if _hurry.is_set():
        raise TimeoutError
    _leaves_until = time.monotonic() + LEAVING_SECONDS
    try:
        yield LEAVING_SECONDS
    finally:
        _leaves_until = time.monotonic()


def leaves_until() -> float:
    """Return until when, by the monotonic clock, something takes its time to leave, or did."""
    return _leaves_until


def is_stopping() -> bool:
    """Whether the process ends as soon as it can, so that what its guardian does need not be waited for."""
    return _stopping.is_set()


@contextlib.contextmanager
def last_act(act: Callable[[], object]) -> Iterator[None]:
    """Name what has to be done if the process ends before the block is left."""
    _acts.append(act)
    try:
        yield
    finally:
        _acts.remove(act)


def do_last_acts(seconds: float) -> None:
    """Do what is left to do, the newest first, for no longer than `seconds`."""

    def do() -> None:
        for act in reversed(_acts.copy()):
            with contextlib.suppress(Exception):  # nobody is left to be told
                act()

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)


@contextlib.contextmanager
def handlers_kept() -> Iterator[None]:
    """Put the handlers of Ctrl-C and SIGTERM back after the block, whose libraries set their own and leave them."""
    if threading.current_thread() is not threading.main_thread():  # where nobody can set any
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
