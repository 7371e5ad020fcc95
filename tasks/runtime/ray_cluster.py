"""Ray: connected to the cluster that is named, or started on this machine, and what is done on it waited for."""

import atexit
import logging
import os
import platform
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TypeVar

from gan.errors import GanflowError, InputError, OutOfPatienceError, ResourcesError, ServiceError
from gan.text.shown import last_line_of
from tasks.runtime.failures import explained
from tasks.runtime.ray_head import RAYS_PATIENCE, HeadWatch
from tasks.runtime.ray_here import start_ray_here
from tasks.runtime.settings import Settings
from tasks.runtime.stopping import handlers_kept, is_stopping, time_to_leave

OUR_DEFAULTS = {
    # Ray Train's controller looks at its workers this often; where it does so more often, their processors feel it.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # Ray's own default of 15 leaves a training 3 % of a core as soon as anything else wants it. At 5, two threads that
    # wait for each other at every layer still make a sixteenth of the images that they make at 0 beside a busy process.
    "RAY_worker_niceness": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
OF_ONE_MACHINE = {
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
}
"""There nobody gives notice that a node will be taken away, and no dashboard shows what is counted."""
LISTENER_SECONDS = 10
LOOK_SECONDS = 5.0

Result = TypeVar("Result")

_ahead = ExitStack()
"""Closes a Ray that was started ahead and that nobody has taken over yet."""


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
        OutOfPatienceError: no cluster answers there, or Ray did not start on this machine.
        InputError: the cluster asks for another token.
    """
    import ray

    with _ahead.pop_all() as places:
        if not ray.is_initialized():
            places.enter_context(_opened(settings, on_warning))
        yield [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def start_ray_ahead(settings: Settings, on_warning: Callable[[str], None] = lambda sentence: None) -> None:
    """Start this machine's Ray, while something else is waited for, for the next `ray_cluster` to take over.

    Nothing happens where a cluster is named. One that does not start is left to `ray_cluster`, which says so.
    """
    if not settings.on_cluster:
        with suppress(OutOfPatienceError):
            _ahead.enter_context(_opened(settings, on_warning))
            atexit.register(_ahead.close)


@contextmanager
def _opened(settings: Settings, on_warning: Callable[[str], None]) -> Iterator[None]:
    here = not settings.on_cluster
    for name, value in {**OUR_DEFAULTS, **RAYS_PATIENCE, **(OF_ONE_MACHINE if here else {})}.items():
        os.environ.setdefault(name, value)
    import ray

    with ExitStack() as places:
        with handlers_kept():
            if here:
                start_ray_here(places, on_warning)
            else:
                _connect(str(settings.ray_address), our_code() if settings.ganflow_ship_code else None)
        try:
            yield
        finally:
            if not is_stopping():
                with handlers_kept():  # it leaves SIGTERM to the kernel, unseen by Python
                    ray.shutdown()


def this_node() -> str:
    """Name this node as a sentence does: one name may stand for many, as in containers, but not with its address."""
    import ray

    return f"{platform.node()} ({ray.util.get_node_ip_address()})"  # type: ignore[no-untyped-call]


def our_code() -> dict[str, object]:
    """Return the runtime environment in which every node has this process's code, which comes before what is there."""
    import gan
    import tasks

    return {"py_modules": [str(Path(package.__path__[0])) for package in (gan, tasks)], "excludes": ["__pycache__"]}


def _connect(address: str, runtime_env: dict[str, object] | None) -> None:
    import ray

    try:
        _require_entry(address)
        ray.init(address=address, runtime_env=runtime_env, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise OutOfPatienceError(
            f"no Ray cluster answers at {address} ({last_line_of(error)}): start it, or correct or unset RAY_ADDRESS"
        ) from None


def _require_entry(address: str) -> None:
    """Prove that something listens at `host:port` and lets us in: Ray waits for minutes before it says otherwise.

    Raises:
        OSError: nothing does.
        InputError: it asks for another token.
    """
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.exceptions import AuthenticationError

    host, _, port = address.rpartition(":")
    if not port.isdecimal() or "://" in address:
        return
    with socket.create_connection((host.strip("[]"), int(port)), timeout=LISTENER_SECONDS):
        pass
    try:
        GcsClient(address=address).get_all_node_info(timeout=LISTENER_SECONDS)
    except AuthenticationError:
        raise InputError(
            f"the Ray cluster at {address} asks for another token: export RAY_AUTH_MODE=token and the RAY_AUTH_TOKEN "
            "that its head was started with"
        ) from None


def in_a_thread(work: Callable[[], Result], leave: Callable[[float], None] | None = None) -> Result:
    """Do something on the cluster in a thread, and wait for it here for as long as the cluster has its head.

    Ray Train puts a handler of Ctrl-C of its own in place when it is called in the main thread, and leaves it there.

    Args:
        work: to do.
        leave: called with the seconds that it may take where this process is asked to end, unless it is by Ctrl-C.

    Raises:
        ServiceError: the head is gone; the thread is left alone.
    """
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    Thread(target=run, name=work.__name__, daemon=True).start()
    watch = HeadWatch()
    try:
        while not wait([done], timeout=LOOK_SECONDS).done:
            watch.look()
    except Exception:
        raise
    except BaseException:  # Ctrl-C, SIGTERM, or Prefect's word for it
        if leave:
            with suppress(Exception), time_to_leave() as seconds:
                leave(seconds)
        raise
    if done.exception() is not None:
        watch.look(patience=0)  # for of whatever it failed, what is gone is the head
    return done.result()


def as_sentence(error: Exception, what: str) -> GanflowError:
    """Return the sentence for what a task on the cluster raised: its own where it has one.

    Args:
        error: Ray's.
        what: the cluster could not do.
    """
    told = explained(error)
    lost = isinstance(told, ServiceError)
    if told is not None and not lost:
        return told
    sentence = f"the Ray cluster could not {what} ({last_line_of(error)}): see its dashboard, and run this again"
    return (ServiceError if lost else ResourcesError)(sentence)
