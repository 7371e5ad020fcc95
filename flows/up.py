"""`ganflow up`: Prefect server, MLflow server, work pool, deployments and a worker, until Ctrl-C."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from flows.abandoned import mark_abandoned_runs
from flows.addresses import LOOPBACK, local_name, mlflow_access, public_name, require_free_port
from flows.children import Children, Stopped, StopRequests
from flows.server import (
    UpState,
    answers,
    home_lock,
    leave_traces,
    lives,
    prefect_environment,
    prefect_toml,
    recorded_state,
    remove_traces,
    state_file,
)
from gan.errors import InputError
from tasks.owed import owed
from tasks.settings import THREADS_SLEEP, Settings, require_writable_home


def run_up(
    settings: Settings,
    *,
    prefect_port: int = 4200,
    mlflow_port: int = 5000,
    host: str = "127.0.0.1",
    work_pool: str = "ganflow",
    console: Console | None = None,
    on_ready: Callable[[UpState], None] | None = None,
) -> None:
    """Start everything, call `on_ready` or print the addresses, and return after Ctrl-C or SIGTERM.

    Raises:
        InputError: a port is taken, the home cannot be written, or `ganflow up` runs here already.
        GanflowError: a part did not start, or ended by itself.
    """
    console = console or Console(stderr=True)
    require_writable_home(settings)
    state = _plan(settings, prefect_port, mlflow_port, host, work_pool)
    with (
        StopRequests().received() as requests,
        contextlib.suppress(Stopped),
        _only_one(settings, requests) as lock,
    ):
        remove_traces(settings)
        require_free_port(host, prefect_port, "--prefect-port")
        if _own_mlflow(settings):
            require_free_port(host, mlflow_port, "--mlflow-port")
        leftovers = [state_file(settings)]
        if not prefect_toml(settings).exists():
            leftovers.append(prefect_toml(settings))
        children = Children(
            settings.state_dir / "logs", _environment(settings, state), settings.home, requests, console
        )
        try:
            children.guard(lock, leftovers)
            _start(children, settings, state, host)
            _announce(settings, state, host, console, on_ready)
            children.watch(lambda name: _clear_up_after(name, state))
        finally:
            with contextlib.suppress(OSError):
                console.print("stopping …")
            children.stop()
            remove_traces(settings)


def _clear_up_after(child: str, state: UpState) -> None:
    if child == "worker":  # what it was about to start when it ended would keep its deployment's slot
        mark_abandoned_runs(state.prefect_api_url, state.work_pool)


def _plan(settings: Settings, prefect_port: int, mlflow_port: int, host: str, work_pool: str) -> UpState:
    if prefect_port == mlflow_port:
        raise InputError(f"both servers would use port {prefect_port}: give --prefect-port or --mlflow-port another")
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
        mlflow_url=f"http://{local_name(host)}:{mlflow_port}" if _own_mlflow(settings) else settings.tracking_uri,
        work_pool=work_pool,
    )


def _own_mlflow(settings: Settings) -> bool:
    # A tracking server that the user named is used as it is.
    return not settings.tracking_uri.startswith(("http://", "https://"))


def _environment(settings: Settings, state: UpState) -> dict[str, str]:
    return {
        **os.environ,
        **THREADS_SLEEP,
        **prefect_environment(settings),
        "GANFLOW_HOME": str(settings.home),
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "PREFECT_API_URL": state.prefect_api_url,
        "GANFLOW_MLFLOW_PAGE": state.mlflow_url,
        # Into the log files goes everything.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": "prefect.logging.handlers.PrefectConsoleHandler",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Jobs of MLflow's own (of its GenAI part) would be three more processes.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONUNBUFFERED": "1",
    }


def _start(children: Children, settings: Settings, state: UpState, host: str) -> None:
    port = urlsplit(state.prefect_ui_url).port
    children.start(
        "Prefect server",
        ["prefect", "server", "start", "--host", host, "--port", str(port)],
        # The page asks the API from the reader's browser, so by the address that the reader can reach.
        {"PREFECT_UI_API_URL": f"http://{public_name(host)}:{port}/api"},
    )
    if _own_mlflow(settings):
        port = urlsplit(state.mlflow_url).port or 0
        command = ["mlflow", "server", "--backend-store-uri", settings.tracking_uri, "--no-serve-artifacts"]
        command += ["--default-artifact-root", str(settings.home / "mlartifacts"), "--workers", "1"]
        children.start("MLflow server", [*command, "--host", host, "--port", str(port), *mlflow_access(host, port)])
    children.wait("starting the Prefect server", lambda: answers(f"{state.prefect_api_url}/health"))
    prefect = ["prefect", "--no-prompt"]
    children.run("work pool", [*prefect, "work-pool", "create", state.work_pool, "--type", "process", "--overwrite"])
    # Deploying first drops the scheduled runs that were missed while nothing ran: a worker would start them all.
    children.run("deployments", [*prefect, "deploy", "--all", "--prefect-file", str(_prefect_yaml(settings))])
    mark_abandoned_runs(state.prefect_api_url, state.work_pool)
    name = f"{socket.gethostname()}-{state.pid}"
    children.start("worker", ["prefect", "worker", "start", "--pool", state.work_pool, "--name", name])
    log = children.log("worker")
    children.wait("starting the worker", lambda: f"Worker '{name}' started" in log.read_text(errors="replace"))
    if owed(settings):
        # After the deployments, one of which listens for the event.
        children.run("owed record", ["flows.pay_owed"])
    if _own_mlflow(settings):
        children.wait("starting the MLflow server", lambda: answers(f"{state.mlflow_url}/health"))


def _prefect_yaml(settings: Settings) -> Path:
    # A home may carry deployments of its own; else those of the checkout that this package is installed from.
    for folder in (settings.home, Path(__file__).resolve().parent.parent):
        if (folder / "prefect.yaml").is_file():
            return folder / "prefect.yaml"
    raise InputError(f"no prefect.yaml in {settings.home}: copy the one of ganflow's source there")


def _announce(
    settings: Settings, state: UpState, host: str, console: Console, on_ready: Callable[[UpState], None] | None
) -> None:
    if not leave_traces(settings, state):
        console.print(
            f"{prefect_toml(settings)} is yours and was left alone: type "
            f"export PREFECT_API_URL={state.prefect_api_url} before `prefect …`"
        )
    if host not in LOOPBACK:
        console.print("[yellow]Anyone who reaches this machine can start runs: neither server asks for a password.")
    if on_ready:
        on_ready(state)
        return
    console.print(f"Prefect  {state.prefect_ui_url}", highlight=False)
    console.print(f"MLflow   {state.mlflow_url}", highlight=False)
    console.print(f"Logs     {settings.state_dir / 'logs'}", highlight=False, soft_wrap=True)
    console.print(f"Commands typed in {settings.home} reach them. Ctrl-C stops everything.", soft_wrap=True)


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
