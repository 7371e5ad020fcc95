"""Ends, in Prefect's record, the runs whose process did not live to do it (power cut, kill -9).

Such a run would stay Running for good and keep its deployment's one concurrency slot, so that no other ever started.
"""

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

from flows.server import lives


def mark_abandoned_runs(api_url: str, work_pool: str) -> list[str]:
    """Set the pool's runs whose process is gone to Crashed and return their names; call it before a worker starts."""
    found = _post(
        f"{api_url}/flow_runs/filter",
        {
            "work_pools": {"name": {"any_": [work_pool]}},
            "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}},
        },
    )
    abandoned = [run for run in found if _is_gone(run.get("infrastructure_pid"))]
    state = {"type": "CRASHED", "name": "Crashed", "message": "Its process ended with an earlier `ganflow up`."}
    for run in abandoned:
        _post(f"{api_url}/flow_runs/{run['id']}/set_state", {"state": state})
    return [run["name"] for run in abandoned]


def _is_gone(infrastructure_pid: str | None) -> bool:
    # «host:pid»; none yet while a run is pending. A run on another machine may well live.
    host, _, pid = (infrastructure_pid or "").rpartition(":")
    if not host:
        return True
    return host == socket.gethostname() and not (pid.isdigit() and lives(int(pid)))


def _post(url: str, body: dict[str, Any]) -> Any:
    # Not Prefect's client: importing it would double the time that `ganflow up` itself needs.
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("POST", parts.path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise OSError(f"{url} answered {response.status}: {content[:200].decode(errors='replace')}")
        return json.loads(content)
    finally:
        connection.close()
