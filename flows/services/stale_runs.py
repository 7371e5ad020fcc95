"""Ends, in Prefect's record, the runs whose process did not live to do it (power cut, kill -9).

Such a run would stay Running for good and keep its deployment's one concurrency slot, so that no other ever started.
"""

import socket
from typing import Any

from flows.services.discovery import lives
from flows.services.prefect_api import PrefectApi
from tasks.runtime.process_name import ProcessName

_TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_ALIVE = {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}
_PROCESS = "process"  # how a tag begins that names one


def mark_abandoned_runs(api: PrefectApi, work_pool: str) -> list[str]:
    """Set the pool's runs whose process is gone to Crashed and return their names; call it before a worker starts."""
    found = api.post(
        "/flow_runs/filter",
        {
            "work_pools": {"name": {"any_": [work_pool]}},
            "flow_runs": {"state": _ALIVE},
        },
    )
    abandoned = [run for run in found if _is_gone(run.get("infrastructure_pid"))]
    state = {"type": "CRASHED", "name": "Crashed", "message": "Its process ended with an earlier `ganflow up`."}
    for run in abandoned:
        api.post(f"/flow_runs/{run['id']}/set_state", {"state": state})
    return [run["name"] for run in abandoned]


def mark_orphans(api: PrefectApi) -> list[str]:
    """Set runs to Crashed that a run began which is over, with its tasks and theirs; return the names of those runs.

    Prefect's worker says of a flow run that was killed that it crashed, and nothing of what it had begun.
    """
    begun = {"parent_task_run_id": {"is_null_": False}, "state": _ALIVE}
    children = {run["parent_task_run_id"]: run for run in api.post("/flow_runs/filter", {"flow_runs": begun})}
    if not children:
        return []
    tasks = api.post("/task_runs/filter", {"task_runs": {"id": {"any_": list(children)}}})
    parents = {"id": {"any_": [task["flow_run_id"] for task in tasks]}}
    over = {
        run["id"] for run in api.post("/flow_runs/filter", {"flow_runs": parents}) if run["state_type"] in _TERMINAL
    }
    orphans = [children[task["id"]] for task in tasks if task["flow_run_id"] in over]
    return _crash(api, orphans, "The run that began it was killed.", tasks_of=over)


def own_tag() -> str:
    """Return the tag by which `mark_killed_commands` knows runs of this process, which is no worker's of Prefect."""
    name = ProcessName.here()
    return f"{_PROCESS}:{name.machine}:{name.pid}:{name.started:.0f}"


def mark_killed_commands(api: PrefectApi) -> list[str]:
    """Set the runs of commands whose process is gone to Crashed, with their tasks, and return their names."""
    by_themselves = {"parent_task_run_id": {"is_null_": True}, "state": _ALIVE}
    found = api.post("/flow_runs/filter", {"flow_runs": by_themselves})
    killed = [run for run in found if any(map(_names_a_dead_process, run["tags"]))]
    return _crash(api, killed, "Its process was killed.", tasks_of={run["id"] for run in killed})


def _names_a_dead_process(tag: str) -> bool:
    kind, *words = tag.split(":")
    try:
        machine, pid, started = words
        return kind == _PROCESS and ProcessName(machine, int(pid), float(started)).is_dead
    except ValueError:
        return False


def _crash(api: PrefectApi, runs: list[dict[str, Any]], message: str, *, tasks_of: set[str]) -> list[str]:
    """Set runs to Crashed with their tasks and those of more runs; return the names of the runs."""
    if not runs:
        return []
    state = {"type": "CRASHED", "name": "Crashed", "message": message}
    of = {"flow_runs": {"id": {"any_": [*tasks_of.union(run["id"] for run in runs)]}}, "task_runs": {"state": _ALIVE}}
    for task in api.post("/task_runs/filter", of):
        api.post(f"/task_runs/{task['id']}/set_state", {"state": state, "force": True})
    for run in runs:
        api.post(f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})
    return [run["name"] for run in runs]


def _is_gone(infrastructure_pid: str | None) -> bool:
    # «host:pid»; none yet while a run is pending. A run on another machine may well live.
    host, _, pid = (infrastructure_pid or "").rpartition(":")
    if not host:
        return True
    return host == socket.gethostname() and not (pid.isdigit() and lives(int(pid)))
