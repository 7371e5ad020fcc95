"""What `ganflow up` says once everything runs."""

import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from flows.services.addresses import is_loopback, origins
from flows.services.discovery import UpState, prefect_toml
from flows.services.mlflow_server import own_mlflow
from flows.services.secret import home_secret, secret_file
from tasks.runtime.settings import Settings


def announcement(settings: Settings, state: UpState, host: str, *, foreign_toml: bool) -> Iterator[str]:
    """Yield the lines for a person: where the pages are, what they ask for, how commands reach the servers.

    The secret itself is not among them: terminals are shared, recorded and scrolled back.

    Args:
        settings: of the home.
        state: what runs.
        host: what the servers are bound to.
        foreign_toml: whether a `prefect.toml` of the user's kept us from writing one.
    """
    show = shlex.join(["cat", str(secret_file(settings))])
    yield f"Prefect  {state.prefect_ui_url}"
    yield f"MLflow   {state.mlflow_url}"
    if not is_loopback(host):
        yield f"         Prefect answers at {_listed(state.prefect_ui_url, host)}"
        if own_mlflow(settings):
            yield f"         MLflow answers at {_listed(state.mlflow_url, host)}"
        yield "         The network sees passwords and pages in the clear: SECURITY.md says what to put before them."
    if state.prefect_auth is None:
        yield (
            "WARNING  --no-auth: every user and program of this machine, and through the browser perhaps a web page, "
            "can start programs as you."
        )
    else:
        yield from _password(settings, state, show)
    yield f"Logs     {settings.state_dir / 'logs'}"
    if foreign_toml:
        yield f"{prefect_toml(settings)} is yours and was left alone. Before `prefect ...` type:"
        yield f"         export PREFECT_API_URL={state.prefect_api_url}"
        if state.prefect_auth and state.prefect_auth == home_secret(settings):
            yield f'         export PREFECT_API_AUTH_STRING="$({show})"'
    yield f"Commands typed in {settings.home} reach them. Ctrl-C stops everything."


def _password(settings: Settings, state: UpState, show: str) -> Iterator[str]:
    is_ours = state.prefect_auth == home_secret(settings)
    asked = []
    if is_ours:
        asked.append("Prefect's page asks for the whole line")
    else:
        yield "Password Prefect's page asks for what you exported as PREFECT_API_AUTH_STRING."
    if own_mlflow(settings):
        asked.append("MLflow's for the name before the colon and the password after it")
    if asked:
        yield f"Password `{show}` shows it: {', '.join(asked)}."


def _listed(url: str, host: str) -> str:
    return ", ".join(origins(host, urlsplit(url).port or 80))
