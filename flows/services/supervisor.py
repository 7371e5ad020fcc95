"""The child processes of `ganflow up`: started with a log each, watched, started again, and stopped together."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import psutil
from rich.console import Console

from gan.errors import GanflowError, ServiceError
from gan.text.shown import shown
from tasks.runtime.guard import Guardian
from tasks.runtime.guardian import stop_tree
from tasks.runtime.interrupts import left_to_others

RESTARTS, WITHIN_SECONDS = 3, 300.0
LOOK_SECONDS = 30.0
FIRST_PAUSE = 1.0  # seconds; then 2 and 4


class Stopped(Exception):  # noqa: N818 - it is no error
    """Ctrl-C or SIGTERM came while something was awaited."""


class StopRequests:
    """Counts Ctrl-C, SIGTERM and hang-ups: one asks to stop, a second not to wait for it."""

    def __init__(self) -> None:
        self.count = 0

    @contextlib.contextmanager
    def received(self) -> Iterator["StopRequests"]:
        """Count signals, instead of being ended by them, within the block."""
        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        previous = {number: signal.signal(number, self._receive) for number in wanted}
        try:
            with left_to_others():
                yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    def hurry(self) -> bool:
        """Whether a second signal came."""
        return self.count > 1


class Children:
    """Processes of their own sessions, so that Ctrl-C in a terminal reaches only us and we stop them in order."""

    def __init__(
        self, logs: Path, environment: Mapping[str, str], cwd: Path, requests: StopRequests, console: Console
    ) -> None:
        self._logs = logs
        self._environment = environment
        self._cwd = cwd
        self._requests = requests
        self._console = console
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._jobs: dict[str, subprocess.Popen[bytes]] = {}
        self._processes: dict[str, psutil.Process] = {}
        self._started_by: dict[str, tuple[Sequence[str], Mapping[str, str] | None]] = {}
        self._restarts: dict[str, list[float]] = {}
        self._guardian: Guardian | None = None
        logs.mkdir(parents=True, exist_ok=True)

    def guard(self, lock: int, leftovers: Sequence[Path]) -> None:
        """Start the guardian, which stops the children and removes `leftovers` if we are killed."""
        self._guardian = Guardian(leftovers, keep=[lock])
        self._environment = {**self._environment, **self._guardian.environment}

    def log(self, name: str) -> Path:
        """Return the file that a child's output goes to; it is written anew at each start."""
        return self._logs / f"{name.lower().replace(' ', '-')}.log"

    def start(self, name: str, module: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start `python -m module…`."""
        self.log(name).unlink(missing_ok=True)
        self._start(name, module, environment)

    def _start(self, name: str, module: Sequence[str], environment: Mapping[str, str] | None) -> None:
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", *module],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._cwd,
                env={**self._environment, **(environment or {})},
            )
        self._running[name] = child
        self._processes[name] = psutil.Process(child.pid)
        self._started_by[name] = (module, environment)
        if self._guardian:
            self._guardian.stop_in_turn(child.pid)

    def run(self, name: str, module: Sequence[str]) -> None:
        """Run `python -m module…` to its end; raises as `finish` does."""
        self.begin(name, module)
        self.finish(name)

    def begin(self, name: str, module: Sequence[str]) -> None:
        """Start what comes to an end by itself, and whose end `finish` waits for."""
        self.start(name, module)
        self._jobs[name] = self._running.pop(name)

    def finish(self, name: str) -> None:
        """Wait for the end of what was begun.

        Raises:
            GanflowError: it failed, or another child ended meanwhile.
            Stopped: a signal came.
        """
        job = self._jobs[name]
        self.wait(f"setting up the {name}", lambda: job.poll() == 0)
        del self._jobs[name]
        if self._guardian:
            self._guardian.forget(job.pid)

    def wait(self, what: str, ready: Callable[[], bool], timeout: float = 180.0) -> None:
        """Wait, with a spinner, until `ready()`.

        Raises:
            GanflowError: a child ended, or `timeout` seconds passed.
            Stopped: a signal came.
        """
        deadline = time.monotonic() + timeout
        with self._console.status(f"{what} …"):
            while not ready():
                self._check()
                if time.monotonic() > deadline:
                    raise ServiceError(f"{what} took longer than {timeout:.0f} s: see the logs in {self._logs}")
                time.sleep(0.1)

    def watch(
        self, on_restart: Callable[[str], None] = lambda name: None, each_look: Callable[[], None] = lambda: None
    ) -> None:
        """Wait for a signal; a child that ends by itself is started again, after a pause that grows.

        Args:
            on_restart: called with its name when that is done; an OSError or GanflowError is shown.
            each_look: called every `LOOK_SECONDS`; an OSError or GanflowError waits for the next time.

        Raises:
            GanflowError: a child ended more often than `RESTARTS` times within `WITHIN_SECONDS`.
        """
        looked = time.monotonic()
        with contextlib.suppress(Stopped):
            while True:
                self._stop_if_asked()
                self._forget_jobs_that_ended()
                if time.monotonic() > looked + LOOK_SECONDS:
                    with contextlib.suppress(OSError, GanflowError):
                        each_look()
                    looked = time.monotonic()
                for name, child in list(self._running.items()):
                    if child.poll() is not None:
                        self._start_again(name, child, on_restart)
                time.sleep(0.25)

    def _forget_jobs_that_ended(self) -> None:
        for name, job in list(self._jobs.items()):
            if job.poll() is not None:
                del self._jobs[name]
                if self._guardian:
                    self._guardian.forget(job.pid)

    def _start_again(self, name: str, child: subprocess.Popen[bytes], on_restart: Callable[[str], None]) -> None:
        now = time.monotonic()
        recent = [moment for moment in self._restarts.get(name, ()) if moment > now - WITHIN_SECONDS]
        if len(recent) == RESTARTS:
            raise self._ended(name, child)
        self._restarts[name] = [*recent, now]
        pause = FIRST_PAUSE * 2 ** len(recent)
        self._say(f"{name} ended {_how(child)}: it is started again in {pause:g} s; its log is {self.log(name)}")
        if self._guardian:
            self._guardian.forget(child.pid)
        # Processes below a server that was killed hold its port; flow runs are in sessions of their own and go on.
        stop_tree(self._processes[name], grace=2)
        deadline = time.monotonic() + pause
        while time.monotonic() < deadline:
            self._stop_if_asked()
            time.sleep(0.1)
        self._start(name, *self._started_by[name])
        try:
            on_restart(name)
        except (OSError, GanflowError) as error:
            self._say(str(error))

    def _stop_if_asked(self) -> None:
        if self._requests.count:
            raise Stopped

    def _check(self) -> None:
        self._stop_if_asked()
        for name, child in self._running.items():
            if child.poll() is not None:
                raise self._ended(name, child)
        for name, job in self._jobs.items():
            if job.poll():
                raise self._ended(name, job)

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _ended(self, name: str, child: subprocess.Popen[bytes]) -> GanflowError:
        lines = self.log(name).read_text(errors="replace").splitlines()
        self._say("\n".join(map(shown, lines[-20:])))
        often = f", for the {RESTARTS + 1}th time" if len(self._restarts.get(name, ())) == RESTARTS else ""
        return GanflowError(
            f"{name} ended {_how(child)}{often}, so everything else was stopped: its log is {self.log(name)}"
        )

    def stop(self) -> None:
        """Stop the youngest first: the worker ends its flow runs while Prefect's server still listens."""
        for name, child in reversed((self._running | self._jobs).items()):
            stop_tree(self._processes[name], grace=15, hurry=self._requests.hurry)
            child.wait()
        self._running.clear()
        self._jobs.clear()
        if self._guardian:
            self._guardian.finish()


def _how(child: subprocess.Popen[bytes]) -> str:
    return f"by signal {-child.returncode}" if child.returncode < 0 else f"with status {child.returncode}"
