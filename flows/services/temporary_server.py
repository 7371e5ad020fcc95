"""Prefect's temporary server, for commands where no other is used: out of Ctrl-C's reach, and never left behind."""

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from flows.services.discovery import answers
from flows.services.stale_runs import own_tag
from gan.errors import ServiceError
from tasks.runtime.guard import guard
from tasks.runtime.settings import Settings, require_room

# As Prefect starts one itself, but for two things: it is given a port that is open already, so no other process can
# take it, and this process spares itself the import of Prefect's whole server.
_APP = "prefect.server.api.server:create_app"
_EPHEMERAL = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
_PATIENCE = 5.0  # seconds for an answer, and for an end
_tagged = contextlib.ExitStack()
"""Holds the tag of this process's runs for as long as it lives, on a server that outlives it."""


@contextlib.contextmanager
def starting_prefect() -> Iterator[None]:
    """Start the temporary server if this command will need one, and wait for it at the end of the block.

    The block imports what will need it: both take seconds. The server ends with this process.

    Raises:
        ResourcesError: the disk of the home is full.
        ServiceError: it is not up within `PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS`.
    """
    require_room(Settings())
    from prefect.context import refresh_global_settings_context, tags
    from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS

    if PREFECT_API_URL.value():
        _tagged.enter_context(tags(own_tag()))
        yield
        return
    limit = PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
    deadline = time.monotonic() + limit
    guard()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _start(listening.fileno())
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    atexit.register(_stop, server)
    os.environ["PREFECT_API_URL"] = url
    refresh_global_settings_context()
    yield
    _wait(server, url, deadline, limit)


def _start(listening: int) -> subprocess.Popen[bytes]:
    import prefect

    app = ["--app-dir", str(prefect.__module_path__.parent), "--factory", _APP]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "uvicorn", *app, "--fd", str(listening), "--log-level", "error"],
        env={**os.environ, **_EPHEMERAL},
        pass_fds=[listening],
        start_new_session=True,  # Ctrl-C would end it before the flows could tell it how they ended
    )


def _wait(server: subprocess.Popen[bytes], url: str, deadline: float, limit: float) -> None:
    """Wait until it answers; a request waits with us, as the port is open from the first moment."""
    while (left := deadline - time.monotonic()) > 0:
        if answers(f"{url}/health", timeout=min(left, _PATIENCE)):
            return
        if server.poll() is not None:
            raise ServiceError(
                f"Prefect's temporary server ended with status {server.returncode} before it answered: see what it "
                "said above, and try again"
            )
        time.sleep(0.05)
    raise ServiceError(
        f"Prefect's temporary server was not up within {limit:g} s: try again when the machine is less busy, or "
        "start `ganflow up`, whose server all commands use"
    )


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
