"""What a worker wrote to its standard output and error, on its way to the run that it belongs to."""

import os
from dataclasses import dataclass
from pathlib import Path

from gan.text.credentials import without_secrets

MOST_BYTES = 200_000


@dataclass(frozen=True)
class WorkerLog:
    """What one worker wrote.

    Attributes:
        log_of: its rank.
        text: the end of it, without secrets.
        failed: whether the worker ended by an error.
    """

    log_of: int
    text: str
    failed: bool

    @property
    def name(self) -> str:
        """Of the artifact; what a worker that failed wrote is kept when the run goes on and ends well."""
        return f"logs/{'failed-' if self.failed else ''}worker-{self.log_of}.log"


def own_output() -> str:
    """Return the end of what this process has written, where Ray sends that to files; "" elsewhere."""
    paths = dict.fromkeys(_target(descriptor) for descriptor in (1, 2))
    return without_secrets("".join(_end_of(path) for path in paths if path is not None))


def _target(descriptor: int) -> Path | None:
    try:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError:  # not on this system
        return None
    return path if path.is_file() else None


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MOST_BYTES))
        return file.read().decode("utf-8", "replace")
