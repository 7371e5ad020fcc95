"""MLflow on PostgreSQL and S3: its database stops for a minute amid a retraining, then its server is killed."""

import os
import tempfile
import time
from pathlib import Path

import pytest
from drilling import postgres
from drilling.commands import Command, clean_environment, until
from drilling.postgres import Postgres
from drilling.store import BUCKET, Store
from drilling.tracking_server import TrackingServer
from mlflow import MlflowClient

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(2400)]
AWAY_SECONDS = float(os.environ.get("GANFLOW_DRILL_AWAY", "60"))
KIMG = float(os.environ.get("GANFLOW_DRILL_KIMG", "96"))
WORDS = ("--preset", "debug", "--set", f"train.total_kimg={KIMG}", "--set", "train.checkpoint_kimg=8", "--json")


@pytest.fixture
def database():
    if not postgres.is_installed():
        pytest.skip("this machine has no PostgreSQL")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to the user that it runs as
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder))
        yield server
        server.stop()


@pytest.fixture
def tracking(database, tmp_path):
    pytest.importorskip("moto.server")
    store = Store(tmp_path)
    server = TrackingServer(tmp_path, database.address, f"s3://{BUCKET}/mlflow", store.settings)
    server.settings = store.settings | {"MLFLOW_TRACKING_URI": server.address}
    yield server
    server.kill()
    store.remove()


@pytest.fixture
def home(tmp_path, tracking):
    """A home with the digits, and a client of its server."""
    (tmp_path / "home").mkdir()
    settings = tracking.settings | {"GANFLOW_HOME": str(tmp_path / "home")}
    environment = clean_environment(**settings, PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    Command(tmp_path, "ingest", "digits", "--preset", "debug", "--json", environment=environment).result()
    return environment


def steps(client, run_id):
    """Of each metric, the image counts that it was logged at."""
    keys = client.get_run(run_id).data.metrics
    return {key: [point.step for point in client.get_metric_history(run_id, key)] for key in keys}


def running(client):
    experiment = client.get_experiment_by_name("ganflow-training")
    found = client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'") if experiment else []
    return [run.info.run_id for run in found if run.data.metrics]


def test_a_retraining_outlives_its_database_and_its_server_and_no_metric_is_lost(home, database, tracking, tmp_path):
    client = MlflowClient(tracking.address, tracking.address)
    retraining = Command(tmp_path, "retrain", *WORDS, environment=home)
    try:
        (run_id,) = until(lambda: running(client), retraining)
        before = steps(client, run_id)
        database.stop()
        time.sleep(AWAY_SECONDS)
        assert not retraining.ended, retraining.said()
        database.start()
        tracking.kill()
        time.sleep(AWAY_SECONDS / 4)
        assert not retraining.ended, retraining.said()
        tracking.start()
        result = retraining.result()
    finally:
        retraining.end()
    assert (result["version"], result["alias"]) == (1, "champion")
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    there = steps(client, run_id)
    print(f"\n{ {key: len(points) for key, points in there.items()} }\n{retraining.said()}")  # noqa: T201
    assert all(set(before[key]) <= set(there[key]) for key in before)
    assert "are lost" not in retraining.said()
    again = Command(tmp_path, "train", *WORDS, environment=home)
    untouched = steps(client, again.result()["run_id"])
    for key in ("D_loss", "G_loss", "D_sign"):
        assert sorted(set(there[key])) == sorted(set(untouched[key])), key
