"""A training's records while MLflow, here on SQLite, fails for a while: all are there in the end."""

import logging
import re
import sqlite3

import numpy as np
import pytest
import sqlalchemy.exc
from mlflow import MlflowClient

from gan.generation.grids import read_grid_png
from gan.training.context import Progress
from gan.training.state import SAMPLE_COLUMNS
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, create_run, ending
from tasks.tracking.telemetry import Telemetry
from tasks.train.log import TrainingLog

pytestmark = pytest.mark.integration
RECORDS = 30


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    return Settings(ganflow_home=home, mlflow_tracking_uri=f"sqlite:///{home / 'mlflow.db'}")


def failing(monkeypatch, method, times):
    """Have a method of MLflow's client fail as on a locked database, a number of times."""
    real, failures = getattr(MlflowClient, method), []

    def call(self, *arguments, **options):
        if len(failures) < times:
            failures.append(method)
            raise sqlalchemy.exc.OperationalError("insert", {}, sqlite3.OperationalError("database is locked"))
        return real(self, *arguments, **options)

    monkeypatch.setattr(MlflowClient, method, call)
    return failures


def test_metrics_pictures_and_tags_are_all_there_and_the_run_is_finished(settings, monkeypatch):
    log = create_run(settings, TRAINING, "t", {})
    pictures = np.random.default_rng(0).integers(0, 256, (SAMPLE_COLUMNS, 8, 8, 1), np.uint8)
    failures = [failing(monkeypatch, name, 5) for name in ("log_batch", "log_artifact", "set_tag")]
    failures.append(failing(monkeypatch, "set_terminated", 1))
    shown, warnings = [], []
    with ending(log), Telemetry(f"run {log.run_id}", warnings.append, first_pause=0.01) as telemetry:
        told = TrainingLog(log, telemetry, shown.append, logging.getLogger(__name__))
        told.choice("fp32")
        for number in range(RECORDS):
            told.progress(Progress(number, RECORDS, {"D_loss": float(number)}))
        told.progress(Progress(RECORDS, RECORDS, samples=pictures))
    assert len(shown) == RECORDS
    assert [len(each) for each in failures] == [5, 5, 5, 1]
    assert len(warnings) == 1
    assert re.match(f"MLflow did not take a record of run {log.run_id} ", warnings[0])
    history = log.client.get_metric_history(log.run_id, "D_loss")
    assert sorted((point.step, point.value) for point in history) == [(n, float(n)) for n in range(RECORDS)]
    run = log.client.get_run(log.run_id)
    assert run.data.tags["choice"] == "fp32"
    assert run.info.status == "FINISHED"
    (picture,) = log.client.list_artifacts(log.run_id, "samples")
    found = settings.home / "mlartifacts" / TRAINING / log.run_id / "artifacts" / picture.path
    assert np.array_equal(read_grid_png(found.read_bytes(), pictures.shape, SAMPLE_COLUMNS), pictures)


def test_the_first_error_is_the_one_that_is_told_though_mlflow_is_away_at_the_end(settings, monkeypatch):
    log = create_run(settings, TRAINING, "t", {})

    def work():
        with ending(log):
            raise RuntimeError("the work")

    failing(monkeypatch, "set_terminated", 100)
    with pytest.raises(RuntimeError, match="the work"):
        work()
