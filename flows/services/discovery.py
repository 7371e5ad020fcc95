"""Which Prefect server to use: found before Prefect is imported, because it reads its settings only once."""

import contextlib
import fcntl
import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.services.private_files import private_folder, replace_private
from flows.services.secret import home_secret
from tasks.runtime.settings import Settings

PREFECT_TOML_MARK = "# Written by `ganflow up` and removed when it stops."
SERVER_AUTH, AUTH = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"  # what it asks for; what clients say

# Added to every server, also where it asks for no password: no foreign web page gets an answer that it can read, nor
# changes anything by a form.
NO_FOREIGN_PAGES = {
    "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "http://none.invalid",
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
}


class UpState(BaseModel):
    """Where the parts of a running `ganflow up` answer.

    Attributes:
        pid: of the command.
        prefect_api_url: for commands.
        prefect_ui_url: for people.
        mlflow_url: for people.
        work_pool: what the worker works on.
        prefect_auth: what Prefect's server asks for, `name:password`; None: nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    prefect_api_url: str
    prefect_ui_url: str
    mlflow_url: str
    work_pool: str
    prefect_auth: str | None = Field(None, repr=False)


def state_file(settings: Settings) -> Path:
    """Record of the running `ganflow up`."""
    return settings.state_dir / "up.json"


def prefect_toml(settings: Settings) -> Path:
    """Prefect's own settings file, read by any `prefect` command typed in the home folder."""
    return settings.home / "prefect.toml"


def up_state(settings: Settings) -> UpState | None:
    """Return where `ganflow up` of this home answers, or None; what a killed one left behind is removed."""
    recorded = recorded_state(settings)
    if recorded is None:
        return None
    with home_lock(settings) as lock:
        if lock is not None:
            remove_traces(settings)
            return None
    # The lock outlives a killed `up` until its children are stopped: its pid tells the two apart.
    if not lives(recorded.pid) or not answers(f"{recorded.prefect_api_url}/health"):
        return None
    return recorded


def recorded_state(settings: Settings) -> UpState | None:
    """Read the record without asking whether it still holds."""
    try:
        return UpState.model_validate_json(state_file(settings).read_bytes())
    except (OSError, ValidationError):
        return None


def prefect_environment(settings: Settings) -> dict[str, str]:
    """Return the variables to set before Prefect is imported; what the user exported is left alone.

    The API is the user's `PREFECT_API_URL`, else the server of a running `ganflow up`, else an ephemeral one, which
    asks for the secret of this home as well.

    Raises:
        InputError: the secret cannot be used.
    """
    defaults = {
        "PREFECT_HOME": str(private_folder(settings.state_dir / "prefect")),
        # With telemetry on, the very first start of a server finds its new database locked.
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # Prefect's default is pickle.
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        # A busy small machine takes longer than the default of 20 s.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        **_which_api(settings),
    }
    return {name: value for name, value in defaults.items() if not os.environ.get(name)}


def _which_api(settings: Settings) -> dict[str, str]:
    exported = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    state = up_state(settings)
    if state and exported in {"", state.prefect_api_url}:
        reach = {"PREFECT_API_URL": state.prefect_api_url, "GANFLOW_MLFLOW_PAGE": state.mlflow_url}
        return reach | ({AUTH: state.prefect_auth} if state.prefect_auth else {})
    if exported:
        # Prefect reads our file where the command is typed in the home: the secret is not for a server elsewhere.
        return {AUTH: ""} if is_our_prefect_toml(settings) else {}
    auth = server_auth(settings)
    return {SERVER_AUTH: auth, AUTH: auth, **NO_FOREIGN_PAGES}


def server_auth(settings: Settings) -> str:
    """Return what a Prefect server that is started here asks for: what the user exported, else the home's secret."""
    return os.environ.get(SERVER_AUTH) or os.environ.get(AUTH) or home_secret(settings)


def lives(pid: int) -> bool:
    """Whether a process runs; one that ended and that its parent has not yet noticed does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def answers(url: str, timeout: float = 5.0) -> bool:
    """Whether a GET of this `http://` address gives status 200 within `timeout` seconds; proxies are not asked."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def home_lock(settings: Settings) -> Iterator[int | None]:
    """Hold the lock of this home's `ganflow up`: yields its file descriptor, or None where another holds it.

    The kernel drops it when the last process that has the descriptor ends, however it ends.
    """
    descriptor = os.open(settings.state_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = True
    except BlockingIOError:
        held = False
    try:
        yield descriptor if held else None
    finally:
        os.close(descriptor)


def leave_traces(settings: Settings, state: UpState) -> bool:
    """Write what lets other commands find this `ganflow up`; False if a user's own `prefect.toml` is in the way."""
    replace_private(state_file(settings), state.model_dump_json(indent=2))
    if prefect_toml(settings).exists() and not is_our_prefect_toml(settings):
        return False
    auth = f"auth_string = {json.dumps(state.prefect_auth)}\n" if state.prefect_auth else ""
    replace_private(
        prefect_toml(settings),
        f"{PREFECT_TOML_MARK}\n"
        f"home = {json.dumps(str(settings.state_dir / 'prefect'))}\n\n"
        f'[api]\nurl = "{state.prefect_api_url}"\n{auth}\n'
        '[results]\ndefault_serializer = "json"\n',
    )
    return True


def remove_traces(settings: Settings) -> None:
    """Remove the record and our `prefect.toml`; a user's own stays."""
    state_file(settings).unlink(missing_ok=True)
    if is_our_prefect_toml(settings):
        prefect_toml(settings).unlink(missing_ok=True)


def is_our_prefect_toml(settings: Settings) -> bool:
    """Whether `prefect.toml` exists and was written by `ganflow up`."""
    try:
        return prefect_toml(settings).read_text().startswith(PREFECT_TOML_MARK)
    except (OSError, UnicodeDecodeError):
        return False
