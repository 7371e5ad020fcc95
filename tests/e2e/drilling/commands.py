"""The command `ganflow` in a session of its own, and what is found of it afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tasks.runtime.guardian import MARK

COMMAND = str(Path(sys.executable).with_name("ganflow"))
DROPPED = ("GANFLOW_", "PREFECT_", "MLFLOW_", "RAY_", "AWS_")


def clean_environment(**settings: str) -> dict[str, str]:
    """The caller's environment without settings of ganflow, its services, and proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    return {name: value for name, value in kept.items() if "PROXY" not in name.upper()} | settings


class Command:
    """A command that has been started.

    Args:
        folder: where it writes its output.
        words: behind `ganflow`.
        environment: all of it.
        before: what stands before `ganflow`, as `ip netns exec` does.
    """

    def __init__(self, folder: Path, *words: str, environment: dict[str, str], before: tuple[str, ...] = ()) -> None:
        self.mark = f"drill-{os.urandom(4).hex()}"
        self.out, self.err = folder / f"{self.mark}.out", folder / f"{self.mark}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*before, COMMAND, *words],
                stdout=out,
                stderr=err,
                cwd=environment["GANFLOW_HOME"],
                env={**environment, MARK: self.mark},
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def said(self) -> str:
        return self.err.read_text(errors="replace")

    def result(self) -> dict[str, Any]:
        """What it answered with `--json`."""
        assert self.process.wait() == 0, self.said()
        return dict(json.loads(self.out.read_text()))

    def below(self) -> list[psutil.Process]:
        """All processes that it has started and that run."""
        if self.ended:
            return []
        return psutil.Process(self.process.pid).children(recursive=True)

    def left(self) -> list[str]:
        """What runs in its session or carries its mark."""
        return [
            " ".join(process.info["cmdline"] or [process.info["name"]])[:100]
            for process in psutil.process_iter(["environ", "cmdline", "name", "status"])
            if process.info["status"] != psutil.STATUS_ZOMBIE and self._owns(process)
        ]

    def kill(self) -> None:
        """SIGKILL for the command alone, as the kernel does it when memory is short."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Leave nothing of it."""
        for process in psutil.process_iter(["environ"]):
            if self._owns(process):
                process.kill()
        self.process.wait()

    def _owns(self, process: psutil.Process) -> bool:
        return belongs(process, self.mark, self.process.pid)


def belongs(process: psutil.Process, mark: str, session: int) -> bool:
    """Whether a process, asked for its `environ`, carries a command's mark or runs in its session."""
    if mark in ((process.info["environ"] or {}).get(MARK) or ""):
        return True
    try:
        return os.getsid(process.pid) == session
    except OSError:
        return False


def until(shows: Callable[[], Any], command: Command | None = None) -> Any:
    """Wait for something, or for the end of a command; return what was seen last."""
    while not (seen := shows()) and not (command and command.ended):
        time.sleep(0.05)
    return seen


def named(processes: list[psutil.Process], *words: str) -> list[psutil.Process]:
    """Those in whose command line one of the words stands, as Ray's actors are called by their classes."""
    found = []
    for process in processes:
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if any(word in line for word in words):
            found.append(process)
    return found


def send(process: psutil.Process, number: int = signal.SIGKILL) -> bool:
    """Send a signal; whether it was there to take it."""
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True
