"""Prefect's temporary server, for commands where no other is used: out of Ctrl-C's reach, and never left behind."""

import contextlib
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future
from threading import Thread

from flows.services.discovery import answers
from gan.errors import ServiceError
from tasks.runtime.guard import guard
from tasks.runtime.settings import Settings, require_room


@contextlib.contextmanager
def starting_prefect() -> Iterator[None]:
    """Start the temporary server if this command will need one, and wait for it at the end of the block.

    The block imports what will need it: both take seconds. Prefect itself stops the server when the process ends.
    Prefect would start it at the first flow, too, but Ctrl-C in a terminal would then end it before the flows could
    tell it how they ended.

    Raises:
        ResourcesError: the disk of the home is full.
        ServiceError: it is not up within `PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS`.
    """
    require_room(Settings())
    from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS

    if PREFECT_API_URL.value():
        yield
        return
    import prefect.server.api.server  # noqa: F401 - here, for two threads that import the same stumble over each other

    guard()
    limit = PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
    started: Future[None] = Future()
    Thread(target=_start, args=(started, limit), name="temporary server", daemon=True).start()
    yield
    try:
        started.result()
    except RuntimeError:
        raise ServiceError(
            f"Prefect's temporary server was not up within {limit} s: try again when the machine is less busy, or "
            "start `ganflow up`, whose server all commands use"
        ) from None


def _start(started: Future[None], seconds: float) -> None:
    from httpx import TimeoutException
    from prefect.server.api.server import SubprocessASGIServer

    # A process inherits which signals the thread that starts it holds back.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    server, deadline = SubprocessASGIServer(), time.monotonic() + seconds
    try:
        try:
            server.start()
        except TimeoutException:  # it is there, and slow to answer: Prefect would give up
            while not answers(f"{server.api_url}/health"):
                if time.monotonic() > deadline:
                    raise RuntimeError("no answer") from None
            server.running = True
    except BaseException as error:
        started.set_exception(error)
    else:
        started.set_result(None)
