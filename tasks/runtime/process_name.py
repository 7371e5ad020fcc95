"""Which process something belongs to, so that any other can tell whether that one still lives."""

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil

_SAME_START = 2.0  # seconds: the clock by which a start is reckoned may have been set right meanwhile


@dataclass(frozen=True)
class ProcessName:
    """A process by what no other one shares.

    Attributes:
        machine: a hash of what tells whether two processes can see each other: boot and pid namespace.
        pid: its number there.
        started: when it began, in seconds, so that a later one of the same number is another.
    """

    machine: str
    pid: int
    started: float

    @classmethod
    def here(cls) -> "ProcessName":
        """Name this process."""
        own = psutil.Process()
        return cls(_machine(), own.pid, own.create_time())

    @classmethod
    def parse(cls, text: str | bytes) -> "ProcessName | None":
        """Read what `to_json` wrote; None where it is anything else."""
        try:
            found = cls(**json.loads(text))
        except (ValueError, TypeError, RecursionError):
            return None
        numbers = type(found.pid) is int and isinstance(found.started, int | float)
        return found if numbers and isinstance(found.machine, str) else None

    def to_json(self) -> str:
        """Write it on one line."""
        return json.dumps(asdict(self))

    @property
    def is_dead(self) -> bool:
        """Whether it was a process of this machine and is gone; of another machine nothing is known."""
        if self.machine != _machine():
            return False
        try:
            process = psutil.Process(self.pid)
            return bool(
                process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - self.started) > _SAME_START
            )
        except (psutil.NoSuchProcess, ValueError, OverflowError):
            return True


@cache
def _machine() -> str:
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and namespace.exists():
        text = f"{boot.read_text().strip()} {os.readlink(namespace)}"
    else:
        text = f"{platform.node()} {psutil.boot_time():.0f}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
