"""The schedule of `generate/weekly`, set as a user sets it: the release appears by itself, published."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from drawing_home import home_with_versions

from tasks.generate.manifest import verify_release
from tasks.releases.states import releases

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1200)]
WAIT = 600


@pytest.mark.usefixtures("without_onnx")
def test_a_release_appears_by_itself_when_its_minute_has_come(start_up, eventually, tmp_path):
    settings = home_with_versions(tmp_path / "home", tmp_path, 1)
    up = start_up(settings.home)
    try:
        bare = {name: value for name, value in up.environment(settings.home).items() if name != "GANFLOW_HOME"}
        at = datetime.now(UTC) + timedelta(seconds=120)  # Prefect plans once a minute
        words = ["prefect", "deployment", "schedule", "create", "generate/weekly"]
        words += ["--cron", f"{at.minute} {at.hour} * * *", "--replace", "--accept-yes"]
        subprocess.run([sys.executable, "-m", *words], env=bare, cwd=settings.home, check=True, capture_output=True)
        (weekly,) = up.api.post("/deployments/filter", {"deployments": {"name": {"any_": ["weekly"]}}})
        assert [each["schedule"]["cron"] for each in weekly["schedules"]] == [f"{at.minute} {at.hour} * * *"]

        (record,) = eventually(lambda: releases(settings), timeout=WAIT)
        assert (record.name, str(record.state), record.version) == ("v1-001", "published", 1)
        assert verify_release(settings.synthetic_dir / "v1-001")["generation"]["num_images"] == record.num_images
        assert (settings.synthetic_dir / "v1-001.dvc").exists()

        def ended():
            body = {
                "deployments": {"id": {"any_": [weekly["id"]]}},
                "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
            }
            return up.api.post("/flow_runs/filter", body)

        (run,) = eventually(ended)
        assert run["auto_scheduled"]
        assert datetime.fromisoformat(run["expected_start_time"]) == at.replace(second=0, microsecond=0)
        wanted = {"filter": {"event": {"name": ["release.published"]}}}
        (event,) = eventually(lambda: up.api.post("/events/filter", wanted)["events"])
        assert event["payload"]["md5"] == record.md5
    finally:
        assert up.end(signal.SIGTERM) == (0, [])
