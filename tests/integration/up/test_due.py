"""A worker that was away while a schedule fell due several times: one run is enough."""

import os
import signal
from datetime import UTC, datetime, timedelta

import psutil
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def due(api, deployment):
    """Runs of a deployment that fell due by now, the earliest first."""
    body = {"deployments": {"id": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_ASC"}
    now = datetime.now(UTC).isoformat()
    return [run for run in api.post("/flow_runs/filter", body) if run["expected_start_time"] <= now]


def test_of_the_runs_that_fell_due_while_the_worker_was_away_the_last_one_works(running, eventually):
    (weekly,) = running.api.post("/deployments/filter", {"deployments": {"name": {"any_": ["weekly"]}}})
    (worker,) = [each for each in running.children if "worker" in " ".join(each.cmdline())][:1]
    path = f"/deployments/{weekly['id']}/schedules"
    stopped = [worker, *worker.children(recursive=True)]
    for process in stopped:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        start = (datetime.now(UTC) + timedelta(seconds=25)).strftime("%Y%m%dT%H%M%SZ")
        rule = f"DTSTART:{start}\nRRULE:FREQ=SECONDLY;INTERVAL=2;COUNT=3"
        running.api.post(path, [{"active": True, "schedule": {"rrule": rule}}])
        # within seconds Prefect plans the runs of deployments that have changed, of others once a minute
        running.api.patch(f"/deployments/{weekly['id']}", {"description": "three times within seconds"})
        eventually(lambda: len(due(running.api, weekly["id"])) == 3, timeout=120)
        fell = [run["id"] for run in due(running.api, weekly["id"])]
    finally:
        for process in stopped:
            if psutil.pid_exists(process.pid):
                os.kill(process.pid, signal.SIGCONT)

    def ended():
        runs = [run for run in due(running.api, weekly["id"]) if run["id"] in fell]
        return runs if all(run["state_type"] in ENDED for run in runs) else None

    runs = eventually(ended, timeout=240)
    assert len(runs) == len(fell) == 3
    # Nothing was ever trained in this home, so the one that works fails for want of a champion.
    assert [run["state_name"] for run in runs] == ["Skipped"] * (len(runs) - 1) + ["Failed"]
    assert "is due as well" in runs[0]["state"]["message"]
