"""The guardian of this process: a small one beside it that stops, when this one ends, whatever it left running."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = Path(__file__).with_name("guardian.py")
MARK = "GANFLOW_COMMAND"  # as in that program, which is not imported: it would bring psutil along


class Guardian:
    """The process, and what is said to it.

    Args:
        leftovers: files that it removes at the end.
        keep: open file descriptors that it holds as long as it runs, such as a lock's.

    Attributes:
        environment: what all processes must have that it shall find.
    """

    def __init__(self, leftovers: Sequence[Path] = (), keep: Sequence[int] = ()) -> None:
        mark = os.urandom(8).hex()
        self._process = subprocess.Popen(
            # -P: by path, but without this folder on its import path.
            [sys.executable, "-P", str(PROGRAM), mark, *map(str, leftovers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
            pass_fds=keep,
            cwd="/",
        )
        above = os.environ.get(MARK)  # of a command that started this one, whose guardian must find them, too
        self.environment: Mapping[str, str] = {MARK: f"{above}:{mark}" if above else mark}

    def stop_in_turn(self, pid: int) -> None:
        """Name a process that is to be stopped in its turn, the youngest first and with patience."""
        self._say(str(pid))

    def forget(self, pid: int) -> None:
        """Take that back: the process has ended."""
        self._say(str(-pid))

    def look(self) -> None:
        """Have it remember what runs now: some processes hide their environment, and lose their parents later."""
        self._say("look")

    def _say(self, line: str) -> None:
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()

    def finish(self) -> None:
        """Have it stop everything now, and wait for that."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.wait()


_own: list[Guardian] = []


def guard() -> Guardian:
    """Return the guardian of this process, which is started at the first call, before anything that it shall find.

    It is not told when this process ends: it sees it.
    """
    if not _own:
        _own.append(Guardian())
        os.environ.update(_own[0].environment)
    return _own[0]
