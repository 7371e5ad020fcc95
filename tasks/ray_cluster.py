"""Ray: the cluster that is named, or one of this machine alone, started with patience and stopped afterwards."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TypeVar

import psutil

from gan.errors import ServiceError
from tasks.guard import guard
from tasks.guardian import end
from tasks.settings import Settings
from tasks.stopping import handlers_kept, is_stopping

# Ray Train's controller looks at its reports this often; its own default of 2 s makes every report wait 1.7 s.
HEALTH_CHECK_SECONDS = "0.1"
# Ray's own default of 15 leaves a training 3 % of a core as soon as anything else wants it.
NICENESS = "5"
# Ray gives its own processes 30 s to start, which are not enough where others keep the processors busy.
STARTS = 3

Result = TypeVar("Result")


@contextmanager
def ray_cluster(
    settings: Settings, on_warning: Callable[[str], None] = lambda sentence: None
) -> Iterator[list[dict[str, float]]]:
    """Connect to the cluster at RAY_ADDRESS, or start Ray on this machine and stop it afterwards.

    Args:
        settings: say which.
        on_warning: called with a sentence where Ray did not start and is tried again.

    Yields:
        The resources of each node, as in [{"CPU": 2.0}].

    Raises:
        ServiceError: no cluster answers there, or Ray did not start on this machine.
    """
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", HEALTH_CHECK_SECONDS)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", NICENESS)
    import ray

    already = ray.is_initialized()
    if not already:
        with handlers_kept():
            if settings.ray_address in (None, "local"):
                _start_here(on_warning)
            else:
                _connect(str(settings.ray_address))
    try:
        yield [node["Resources"] for node in ray.nodes() if node["Alive"]]
    finally:
        if not already and not is_stopping():
            ray.shutdown()


def _connect(address: str) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ServiceError(
            f"no Ray cluster answers at {address} ({last_line(error)}): start it, or correct or unset RAY_ADDRESS"
        ) from None


def _start_here(on_warning: Callable[[str], None]) -> None:
    import ray

    guardian = guard()
    _close_token_folder()
    for left in reversed(range(STARTS)):
        there = _children()
        try:
            # A dashboard that nobody asked for is one more open port.
            ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises a bare one when its time is over
            _clear_away(there)
            if not left:
                raise ServiceError(
                    f"Ray did not start on this machine in {STARTS} tries ({last_line(error)}): "
                    "try again when it is less busy"
                ) from None
            on_warning(f"Ray did not start on this machine ({last_line(error)}): it is tried again, {left} more times")
        else:
            guardian.look()
            return


def _close_token_folder() -> None:
    """Let nobody else into `~/.ray`: Ray listens on every network, and asks for a token that lies there."""
    with suppress(OSError, RuntimeError):  # a home that cannot be written, or is none
        folder = Path.home() / ".ray"
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _clear_away(there: set[psutil.Process]) -> None:
    """Stop what a start of Ray that failed has left, and forget it."""
    import ray

    ray.shutdown()
    end(_children() - there, grace=1.0)


def in_a_thread(work: Callable[[], Result]) -> Result:
    """Do something in a thread, and wait for it here.

    Ray Train puts a handler of Ctrl-C of its own in place when it is called in the main thread, and leaves it there.
    """
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    Thread(target=run, name=work.__name__, daemon=True).start()
    return done.result()


def last_line(error: BaseException) -> str:
    """Return the last line of an error's message, which is what Ray's long ones come down to."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
