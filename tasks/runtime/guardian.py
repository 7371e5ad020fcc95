"""Stops what a command started; run as a program, it does so when the command has ended, however that came.

As a program it takes a mark, which every process below the command carries in its environment, and the files to remove
at the end. From standard input it reads, a line each: the id of a process to stop in its turn, the same with a minus to
forget it, or `look`: remember what runs now, for some processes hide their environment later. The input ends when the
command ends; whatever still runs then is stopped. It imports nothing of ganflow, so that it starts at once.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import psutil

MARK = "GANFLOW_COMMAND"
"""The environment variable that holds the marks of all commands above a process, with colons between them."""
GRACE_SECONDS = 0.7  # between TERM and KILL of what a command left
ROUNDS = 20  # what is being stopped may start more


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
            end(children, grace, hurry)
            root.resume()
        end([root], grace, hurry)
    # What outlived its parents (Ray's daemons; all of them, if the root was killed) has nobody left to wait for.
    if root.is_running() or not psutil.pid_exists(root.pid):  # else another process has its number by now
        below += _session(root.pid)
    end(below, 2.0, hurry)


def _session(leader: int) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if os.getsid(process.pid) == leader:
                members.append(process)
    return members


def end(processes: Collection[psutil.Process], grace: float, hurry: Callable[[], bool] = lambda: False) -> None:
    """Send TERM to processes, and KILL to those that run after `grace` seconds or when in a hurry."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + seconds
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        while processes := [process for process in processes if is_running(process)]:
            if time.monotonic() > deadline or (number == signal.SIGTERM and hurry()):
                break
            time.sleep(0.05)


def is_running(process: psutil.Process) -> bool:
    """Whether it runs; one that ended and that its parent has not yet noticed does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def marked(mark: str) -> set[psutil.Process]:
    """Return the processes that carry a mark, and all below them."""
    found = {
        process
        for process in psutil.process_iter(["environ"])
        if mark in ((process.info["environ"] or {}).get(MARK) or "").split(":")
    }
    return found | _below(found)


def _below(processes: Iterable[psutil.Process]) -> set[psutil.Process]:
    below: set[psutil.Process] = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            below.update(process.children(recursive=True))
    return below


def sweep(mark: str, known: Iterable[psutil.Process] = ()) -> None:
    """Stop what carries a mark or is known already, and all below, until nothing is left."""
    for _ in range(ROUNDS):
        known = {process for process in known if is_running(process)}
        left = {process for process in marked(mark) | known | _below(known) if is_running(process)}
        left -= {psutil.Process()}
        if not left:
            return
        end(left, GRACE_SECONDS)


def main(mark: str, leftovers: Sequence[str]) -> None:
    """Wait for the end of standard input; stop what was told, the youngest first, then the rest; remove `leftovers`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told: dict[int, psutil.Process] = {}
    known: set[psutil.Process] = set()
    for line in sys.stdin:
        if line.strip() == "look":
            known = {process for process in known if is_running(process)} | marked(mark)
            continue
        pid = int(line)
        if pid < 0:
            told.pop(-pid, None)
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            told[pid] = psutil.Process(pid)  # at once: later the number may be a stranger's
    for process in reversed(told.values()):
        stop_tree(process, grace=10)
    sweep(mark, known)
    for path in leftovers:
        with contextlib.suppress(OSError):
            Path(path).unlink()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
