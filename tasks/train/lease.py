"""The lease of a training: one process anywhere trains a run, and shows by a heartbeat in the storage that it lives.

Every claimant writes a file of its own and only then looks whether others are there: of two that come at once at least
one sees the other, and withdraws. Whether a file is old is told by the storage's clock alone, which all share.
"""

import contextlib
import json
import platform
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gan.errors import InputError
from gan.text.shown import reason_of
from tasks.runtime.beside import beside
from tasks.runtime.patience import patiently
from tasks.runtime.process_name import ProcessName
from tasks.runtime.settings import Settings
from tasks.runtime.storage import storage_errors
from tasks.train.run_storage import RunStorage

FOLDER = "leases"
HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 120.0
"""Longer than a storage may be away: a holder that cannot write shall not lose its run for it."""
NEW_RUN = "or train a new run without --resume"
_TRIES = 5  # where claimants come at once and all withdraw
_PATIENT_TRIES = 6  # a minute


@dataclass(frozen=True)
class Holder:
    """A process that trains a run or is about to.

    Attributes:
        host: name of its machine, for people.
        process: the process.
        holds: whether it has the run, or is only asking.
    """

    host: str
    process: ProcessName
    holds: bool

    @classmethod
    def parse(cls, text: bytes) -> "Holder | None":
        """Read what a holder wrote of itself; None where it cannot be read."""
        try:
            found = json.loads(text)
            process = ProcessName.parse(found["process"])
            return cls(str(found["host"]), process, bool(found["holds"])) if process else None
        except (ValueError, TypeError, LookupError, RecursionError):
            return None

    def __str__(self) -> str:
        """Name it as a sentence does."""
        return f"process {self.process.pid} on {reason_of(self.host, 80)}"


class HeldError(InputError):
    """Another process trains the run."""


@contextlib.contextmanager
def training_lease(
    settings: Settings,
    run_id: str,
    on_lost: Callable[[str], None] = lambda sentence: None,
    on_warning: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Keep every other process, on whatever machine and of whatever home, from training a run within the block.

    A killed process of this machine lets go at once, one of another machine after `STALE_SECONDS`.

    Args:
        settings: say where the storage is.
        run_id: the run.
        on_lost: called on a thread with a sentence if another process took the run, because this one showed no sign
            of life for so long.
        on_warning: called with a sentence where the storage is away and is asked again, for a minute; None: it is not.

    Raises:
        HeldError: another process has it.
        GanflowError: the storage is away, or cannot be used.
    """
    storage = RunStorage(settings.storage, run_id)
    name = f"{FOLDER}/{secrets.token_hex(8)}.json"
    with storage_errors(settings.storage):
        if on_warning is None:
            _acquire(storage, name)
        else:
            patiently(lambda: _acquire(storage, name), "asking for the run", on_warning, tries=_PATIENT_TRIES)
    try:
        with beside("lease", lambda over: _beat(storage, name, over, on_lost)):
            yield
    finally:
        with contextlib.suppress(Exception):  # it becomes stale by itself
            storage.remove(name)


def _acquire(storage: RunStorage, name: str) -> None:
    for left in reversed(range(_TRIES)):
        storage.put(name, _text(holds=False))
        try:
            others = _others(storage, name)
        except BaseException:
            with contextlib.suppress(OSError):  # what failed first is what is told
                storage.remove(name)
            raise
        if not others:
            storage.put(name, _text(holds=True))
            return
        storage.remove(name)
        if not left or any(other is None or other.holds for other in others):
            who = next((str(other) for other in others if other), "another process")
            raise HeldError(f"run {storage.run} is being trained by {who}: wait for its end, {NEW_RUN}")
        time.sleep(random.uniform(0.1, 1.0))


def _others(storage: RunStorage, own: str) -> list[Holder | None]:
    """Return the other claimants that live, None for one that cannot be read; the files of the dead are removed."""
    times = storage.times(FOLDER)
    now = times.get(Path(own).name, 0.0)
    living = []
    for file, written in times.items():
        if (name := f"{FOLDER}/{file}") == own:
            continue
        text = storage.read(name)
        if text is None:  # it has just let go
            continue
        holder = Holder.parse(text)
        if (holder and holder.process.is_dead) or now - written > STALE_SECONDS:
            storage.remove(name)
        else:
            living.append(holder)
    return living


def _beat(storage: RunStorage, name: str, over: threading.Event, on_lost: Callable[[str], None]) -> None:
    """Write the file again and again; a storage that is away is waited for."""
    seen = _seconds()
    while not over.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(Exception):
            lost = storage.read(name) is None
            if not lost:
                storage.put(name, _text(holds=True))
                # a write that hung for so long may have come after another process took the run
                late = (now := _seconds()) - seen > STALE_SECONDS
                if lost := late and any(other is None or other.holds for other in _others(storage, name)):
                    storage.remove(name)
                seen = now
            if lost:
                on_lost(f"run {storage.run} was taken over by another process while this one could not be seen")
                return


def _seconds() -> float:
    """A clock that goes on while a machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _text(*, holds: bool) -> bytes:
    return json.dumps({"host": platform.node(), "process": ProcessName.here().to_json(), "holds": holds}).encode()
