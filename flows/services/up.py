"""`ganflow up`: Prefect server, MLflow server, work pool, deployments and a worker, until Ctrl-C."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from flows.services.addresses import is_loopback, local_name, origins, public_name, require_free_port
from flows.services.banner import announcement
from flows.services.discovery import (
    AUTH,
    NO_FOREIGN_PAGES,
    SERVER_AUTH,
    UpState,
    answers,
    home_lock,
    leave_traces,
    lives,
    prefect_environment,
    prefect_toml,
    recorded_state,
    remove_traces,
    server_auth,
    state_file,
)
from flows.services.mlflow_server import login_environment, mlflow_command, own_mlflow
from flows.services.prefect_api import PrefectApi
from flows.services.private_files import private_folder
from flows.services.secret import home_secret
from flows.services.stale_runs import mark_abandoned_runs, mark_killed_commands, mark_orphans
from flows.services.supervisor import Children, Stopped, StopRequests
from gan.errors import InputError
from tasks.ingest import outbox
from tasks.ingest.allowed_sources import AllowedSources
from tasks.runtime.settings import THREADS_WAIT, Settings, require_writable_home
from tasks.tracking.client import NO_PICKLE


def run_up(
    settings: Settings,
    *,
    prefect_port: int = 4200,
    mlflow_port: int = 5000,
    host: str = "127.0.0.1",
    work_pool: str = "ganflow",
    auth: bool = True,
    console: Console | None = None,
) -> None:
    """Start everything, say where it is, and return after Ctrl-C or SIGTERM.

    Raises:
        InputError: a port is taken, the home or its secret cannot be used, `ganflow up` runs here already, or other
            machines would be let in without a password.
        GanflowError: a part did not start, or ended by itself.
    """
    console = console or Console(stderr=True)
    require_writable_home(settings)
    AllowedSources(settings)  # which runs will ask for
    state = _plan(settings, prefect_port, mlflow_port, host, work_pool, auth)
    with (
        StopRequests().received() as requests,
        contextlib.suppress(Stopped),
        _only_one(settings, requests) as lock,
    ):
        remove_traces(settings)
        require_free_port(host, prefect_port, "--prefect-port")
        if own_mlflow(settings):
            require_free_port(host, mlflow_port, "--mlflow-port")
        leftovers = [state_file(settings)]
        if not prefect_toml(settings).exists():
            leftovers.append(prefect_toml(settings))
        logs = private_folder(settings.state_dir / "logs")
        children = Children(logs, _environment(settings, state), settings.home, requests, console)
        try:
            children.guard(lock, leftovers)
            _start(children, settings, state, host)
            in_the_way = not leave_traces(settings, state)
            for line in announcement(settings, state, host, foreign_toml=in_the_way):
                style = "yellow" if line.startswith("WARNING") else None
                console.print(line, style=style, highlight=False, soft_wrap=True, markup=False)
            children.watch(lambda name: _clear_up_after(name, state), lambda: _end_what_was_killed(children, state))
        finally:
            with contextlib.suppress(OSError):
                console.print("stopping …")
            children.stop()
            remove_traces(settings)


def _clear_up_after(child: str, state: UpState) -> None:
    if child == "worker":  # what it was about to start when it ended would keep its deployment's slot
        mark_abandoned_runs(PrefectApi(state.prefect_api_url, state.prefect_auth), state.work_pool)


def _end_what_was_killed(children: Children, state: UpState) -> None:
    api = PrefectApi(state.prefect_api_url, state.prefect_auth)
    if mark_killed_commands(api) + mark_orphans(api):
        children.begin("abandoned runs", ["flows.services.end_abandoned"])


def _plan(settings: Settings, prefect_port: int, mlflow_port: int, host: str, work_pool: str, auth: bool) -> UpState:
    if prefect_port == mlflow_port:
        raise InputError(f"both servers would use port {prefect_port}: give --prefect-port or --mlflow-port another")
    if not auth and not is_loopback(host):
        raise InputError(
            f"with --no-auth everyone who reaches {host} could start programs here: leave out --no-auth, or --host"
        )
    prefect_url = f"http://{local_name(host)}:{prefect_port}"
    exported = os.environ.get("PREFECT_API_URL")
    if exported and exported.rstrip("/") != f"{prefect_url}/api":
        raise InputError(
            f"PREFECT_API_URL is {exported}, which every command here would use instead of the server that "
            "`ganflow up` starts: unset it, or start only a worker with `prefect worker start --pool ganflow`"
        )
    return UpState(
        pid=os.getpid(),
        prefect_api_url=f"{prefect_url}/api",
        prefect_ui_url=prefect_url,
        mlflow_url=f"http://{local_name(host)}:{mlflow_port}" if own_mlflow(settings) else settings.tracking_place,
        work_pool=work_pool,
        prefect_auth=server_auth(settings) if auth else None,
    )


def _environment(settings: Settings, state: UpState) -> dict[str, str]:
    environment = {
        **os.environ,
        **THREADS_WAIT,
        **prefect_environment(settings),
        "GANFLOW_HOME": str(settings.home),
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "PREFECT_API_URL": state.prefect_api_url,
        "GANFLOW_MLFLOW_PAGE": state.mlflow_url,
        # Into the log files goes everything.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": "prefect.logging.handlers.PrefectConsoleHandler",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        **NO_PICKLE,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Jobs of MLflow's own (of its GenAI part) would be three more processes.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONUNBUFFERED": "1",
    }
    # Never on a command line, which every user of the machine can read. An empty one would be asked for, too.
    for name in (SERVER_AUTH, AUTH):
        environment.pop(name, None)
    return environment | ({AUTH: state.prefect_auth} if state.prefect_auth else {})


def _start(children: Children, settings: Settings, state: UpState, host: str) -> None:
    port = urlsplit(state.prefect_ui_url).port or 0
    children.start(
        "Prefect server",
        ["prefect", "server", "start", "--host", host, "--port", str(port)],
        {
            # The page asks the API from the reader's browser, so by the address that the reader can reach.
            "PREFECT_UI_API_URL": f"http://{public_name(host)}:{port}/api",
            **NO_FOREIGN_PAGES,
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": ",".join(origins(host, port)),
            **({SERVER_AUTH: state.prefect_auth} if state.prefect_auth else {}),
        },
    )
    if own_mlflow(settings):
        login = login_environment(settings, home_secret(settings)) if state.prefect_auth else {}
        command = mlflow_command(settings, host, urlsplit(state.mlflow_url).port or 0, with_login=bool(login))
        # Not as an option: everyone on the machine can read those, and the address may hold a password.
        children.start("MLflow server", command, {**login, "MLFLOW_BACKEND_STORE_URI": settings.tracking_uri})
    # It imports the flows while the server starts. Deploying before there is a worker drops the scheduled runs that
    # were missed while nothing ran: the worker would start them all.
    children.begin("deployments", ["flows.services.deploy", state.work_pool, str(_prefect_yaml(settings))])
    children.wait("starting the Prefect server", lambda: answers(f"{state.prefect_api_url}/health"))
    children.finish("deployments")
    mark_abandoned_runs(PrefectApi(state.prefect_api_url, state.prefect_auth), state.work_pool)
    name = f"{socket.gethostname()}-{state.pid}"
    children.start("worker", ["prefect", "worker", "start", "--pool", state.work_pool, "--name", name])
    log = children.log("worker")
    children.wait("starting the worker", lambda: f"Worker '{name}' started" in log.read_text(errors="replace"))
    if outbox.pending(settings):
        # After the deployments, one of which listens for the event.
        children.run("outbox", ["flows.services.deliver_outbox"])
    if own_mlflow(settings):
        children.wait("starting the MLflow server", lambda: answers(f"{state.mlflow_url}/health"))


def _prefect_yaml(settings: Settings) -> Path:
    # A home may carry deployments of its own; else those of the checkout that this package is installed from.
    for folder in (settings.home, Path(__file__).resolve().parents[2]):
        if (folder / "prefect.yaml").is_file():
            return folder / "prefect.yaml"
    raise InputError(f"no prefect.yaml in {settings.home}: copy the one of ganflow's source there")


@contextlib.contextmanager
def _only_one(settings: Settings, requests: StopRequests) -> Iterator[int]:
    deadline = time.monotonic() + 40
    while True:
        with home_lock(settings) as lock:
            if lock is not None:
                yield lock
                return
        state = recorded_state(settings)
        # A killed `up` holds the lock through its guardian until its children are stopped.
        if (state and lives(state.pid)) or time.monotonic() > deadline:
            where = f"at {state.prefect_ui_url}" if state else "and is still starting or stopping"
            raise InputError(f"`ganflow up` already runs in {settings.home} {where}: stop that one first with Ctrl-C")
        if requests.count:
            raise Stopped
        time.sleep(0.2)
