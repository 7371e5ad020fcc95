"""Stops the processes of `ganflow up`; run as a program, it does so when `ganflow up` itself was killed.

As a program it reads process ids from standard input, one a line, and forgets those that come again with a minus. The
input ends when `ganflow up` ends, in whatever way; what still runs then is stopped, and the files named as arguments
are removed. It imports nothing of ganflow, so that it starts at once.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil


def stop_tree(root: psutil.Process, grace: float, hurry: Callable[[], bool] = lambda: False) -> None:
    """Stop a session leader and all below it: TERM, and KILL for what is left after `grace` seconds or when in a hurry.

    The direct children go first, with the root frozen: so a flow run can tell Prefect how it ended, which its worker
    would cut short, and the worker takes no other run meanwhile.
    """
    below: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        children, below = root.children(), root.children(recursive=True)
        if children:
            root.suspend()
            _end(children, signal.SIGTERM, grace, hurry)
            root.resume()
        _end([root], signal.SIGTERM, grace, hurry)
    # What outlived its parents (Ray's daemons; all of them, if the root was killed) has nobody left to wait for.
    if root.is_running() or not psutil.pid_exists(root.pid):  # else another process has its number by now
        below += _session(root.pid)
    _end(below, signal.SIGTERM, 2.0, hurry)


def _session(leader: int) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if os.getsid(process.pid) == leader:
                members.append(process)
    return members


def _end(processes: Sequence[psutil.Process], number: int, grace: float, hurry: Callable[[], bool]) -> None:
    deadline = time.monotonic() + grace
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    while alive := [process for process in processes if _is_running(process)]:
        if number == signal.SIGKILL and time.monotonic() > deadline:
            return
        if number != signal.SIGKILL and (time.monotonic() > deadline or hurry()):
            _end(alive, signal.SIGKILL, 5.0, hurry)
            return
        time.sleep(0.05)


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main(leftovers: Sequence[str]) -> None:
    """Wait for the end of standard input, then stop the youngest first and remove `leftovers`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    processes: dict[int, psutil.Process] = {}
    for line in sys.stdin:
        pid = int(line)
        if pid < 0:
            processes.pop(-pid, None)
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            processes[pid] = psutil.Process(pid)  # at once: later the number may be a stranger's
    for process in reversed(processes.values()):
        stop_tree(process, grace=10)
    for path in leftovers:
        with contextlib.suppress(OSError):
            Path(path).unlink()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
