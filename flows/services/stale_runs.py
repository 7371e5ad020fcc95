"""Ends, in Prefect's record, the runs whose process did not live to do it (power cut, kill -9).

Such a run would stay Running for good and keep its deployment's one concurrency slot, so that no other ever started.
"""

import socket

from flows.services.discovery import lives
from flows.services.prefect_api import PrefectApi


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


def _is_gone(infrastructure_pid: str | None) -> bool:
    # «host:pid»; none yet while a run is pending. A run on another machine may well live.
    host, _, pid = (infrastructure_pid or "").rpartition(":")
    if not host:
        return True
    return host == socket.gethostname() and not (pid.isdigit() and lives(int(pid)))
