"""How the command ends on Ctrl-C, SIGTERM or a hang-up: soon, with one sentence, and with nothing left running.

The signal raises KeyboardInterrupt in the main thread, whose blocks then clean up. Libraries may swallow it, or wait
for what never comes; so a thread that the signal itself wakes gives them a few seconds, and ends the process. What then
still runs of what it started is stopped by its guardian. Unless it was Ctrl-C, a block may take more: `time_to_leave`.
"""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from gan.text.shown import shown
from tasks.runtime.stopping import begin_to_stop, do_last_acts, hurry, leaves_until

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Together less than the five seconds after which people lose patience; Prefect alone waits up to a second in each flow.
UNWINDING_SECONDS, ACTING_SECONDS = 3.3, 0.7
_LOOK_SECONDS = 0.2
_LEFT = 255  # written to the pipe when the main thread has left its blocks; no signal has this number
_SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """End the process as this module says if a signal comes within the block; afterwards, at once and without a word.

    In a thread other than the main one nothing changes: signals are not for it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    once = _Once()
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, once.interrupt)
    watcher = threading.Thread(target=_watch, args=(reading, once.noticed), name="interrupts", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _end_at_once)
        os.write(writing, bytes([_LEFT]))
        watcher.join()  # which ends the process if a signal came
        signal.set_wakeup_fd(before)
        os.close(writing)


@contextlib.contextmanager
def left_to_others() -> Iterator[None]:
    """Let signals within the block be the matter of other handlers alone."""
    before = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)


class _Once:
    """A handler that raises KeyboardInterrupt the first time: a second one would break the cleaning up.

    Attributes:
        noticed: set by the thread when nothing more is shown; before, somebody might print a traceback.
    """

    def __init__(self) -> None:
        self.came = False
        self.noticed = threading.Event()

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self.came:
            self.came = True
            self.noticed.wait(1.0)
            raise KeyboardInterrupt


def _end_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


def _watch(reading: int, noticed: threading.Event) -> None:
    """Wait for a signal, or for the end of the block."""
    while True:
        number = os.read(reading, 1)[0]
        if number in SIGNALS:
            _end(reading, number, noticed)
        if number == _LEFT:
            os.close(reading)
            return


def _end(reading: int, number: int, noticed: threading.Event) -> NoReturn:
    if number == signal.SIGINT:
        hurry()
    sentence = begin_to_stop()
    terminal = _silence()
    noticed.set()
    if _left_in_time(reading):
        do_last_acts(ACTING_SECONDS)
    with contextlib.suppress(OSError):
        start = f"{_SHOW_CURSOR}\n" if os.isatty(terminal) else ""
        os.write(terminal, f"{start}ganflow: interrupted: {shown(sentence)}\n".encode())
    os._exit(128 + number)


def _silence() -> int:
    """Send what libraries say about the interruption nowhere; return a descriptor of the real standard error."""
    terminal = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    return terminal


def _left_in_time(reading: int) -> bool:
    """Wait until the main thread has cleaned up, or for as long as it may take; False: a second Ctrl-C came."""
    began = time.monotonic()
    while (left := max(began, leaves_until()) + UNWINDING_SECONDS - time.monotonic()) > 0:
        if not select.select([reading], [], [], min(left, _LOOK_SECONDS))[0]:
            continue
        number = os.read(reading, 1)[0]
        if number == signal.SIGINT:  # another SIGTERM may come from Prefect, which hands the first one on
            return False
        if number == _LEFT:
            return True
    return True
