"""Ends, in Prefect's record, the runs whose process did not live to do it (power cut, kill -9).

Such a run would stay Running for good and keep its deployment's one concurrency slot, so that no other ever started.
"""

import socket

from flows.services.discovery import lives
from flows.services.prefect_api import PrefectApi

_TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def mark_abandoned_runs(api: PrefectApi, work_pool: str) -> list[str]:
    """Set the pool's runs whose process is gone to Crashed and return their names; call it before a worker starts."""
    found = api.post(
        "/flow_runs/filter",
        {
            "work_pools": {"name": {"any_": [work_pool]}},
            "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}},
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
    alive = {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}
    begun = {"parent_task_run_id": {"is_null_": False}, "state": alive}
    children = {run["parent_task_run_id"]: run for run in api.post("/flow_runs/filter", {"flow_runs": begun})}
    if not children:
        return []
    tasks = api.post("/task_runs/filter", {"task_runs": {"id": {"any_": list(children)}}})
    parents = {"id": {"any_": [task["flow_run_id"] for task in tasks]}}
    over = {
        run["id"] for run in api.post("/flow_runs/filter", {"flow_runs": parents}) if run["state_type"] in _TERMINAL
    }
    orphans = [children[task["id"]] for task in tasks if task["flow_run_id"] in over]
    if not orphans:
        return []
    state = {"type": "CRASHED", "name": "Crashed", "message": "The run that began it was killed."}
    of = {"flow_runs": {"id": {"any_": [*over, *(run["id"] for run in orphans)]}}, "task_runs": {"state": alive}}
    for task in api.post("/task_runs/filter", of):
        api.post(f"/task_runs/{task['id']}/set_state", {"state": state, "force": True})
    for run in orphans:
        api.post(f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})
    return [run["name"] for run in orphans]


def _is_gone(infrastructure_pid: str | None) -> bool:
    # «host:pid»; none yet while a run is pending. A run on another machine may well live.
    host, _, pid = (infrastructure_pid or "").rpartition(":")
    if not host:
        return True
    return host == socket.gethostname() and not (pid.isdigit() and lives(int(pid)))
