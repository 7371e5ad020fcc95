"""Prefect's server for the length of a command: it has the same lock as that of `ganflow up`."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

PROGRAM = """
import json, os, sys
from flows.command.console import prepare
from flows.services.prefect_api import PrefectApi
from flows.services.secret import home_secret
from flows.services.temporary_server import starting_prefect
settings = prepare()
with starting_prefect():
    import flows.ingest
heavy = [name for name in ("torch", "prefect.server.api.server") if name in sys.modules]
from prefect import flow
url, secret = os.environ["PREFECT_API_URL"], home_secret(settings)
found = {name: PrefectApi(url, auth).refuses() for name, auth in
         {"nobody": None, "guest": "ganflow:wrong-but-long-enough", "owner": secret}.items()}
try:
    PrefectApi(url, None).post("/flow_runs/filter", {})
except OSError as error:
    found["changes"] = str(error)
found["heavy"] = heavy
found["runs"] = flow(lambda: 42, name="answer")()
found["recorded"] = [run["state"]["type"] for run in PrefectApi(url, secret).post("/flow_runs/filter", {})]
print(json.dumps(found))
"""


def test_it_asks_for_the_secret_and_flows_have_it(tmp_path):
    foreign = ("PREFECT_", "MLFLOW_", "GANFLOW_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**kept, "GANFLOW_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["nobody"], found["guest"], found["owner"]) == (True, True, False)
    assert "answered 40" in found["changes"]
    assert found["heavy"] == [], "seconds that an ingest need not wait for"
    assert found["runs"] == 42
    assert found["recorded"] == ["COMPLETED"]
    assert (tmp_path / ".ganflow" / "prefect").stat().st_mode & 0o077 == 0
