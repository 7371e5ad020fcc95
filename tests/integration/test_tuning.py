"""A search on a real Ray Tune, whose trials are Ray Train's, with runs in a real MLflow."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from prefect import flow

from flows.configure import resolve_config
from gan.data.store.dataset import DatasetInfo
from gan.data.store.resident_cache import DecodedSplit, write_version
from gan.evaluation.watch import Watched
from gan.metrics.evaluation import Metric
from gan.training.checkpoint import load_header
from gan.training.header import Header
from tasks.dataset.current import CurrentDataset
from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, TUNING
from tasks.tune.plan import TuningPlan, budgeted
from tasks.tune.runs import CHECKPOINT, PARENT, finished_trials, opened_search, unfinished_search
from tasks.tune.step import search_trials

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]
MD5 = "0123456789abcdef0123456789abcdef"
TRIALS = ((), ("optimizer.lr=0.002",), ("optimizer.lr=0.003",))


def open_score(payload):
    """Scores by the learning rate and the images seen: the second trial is the worst, the third the best."""
    config = payload.header.config
    rank = {0.001: 0.3, 0.002: 0.9, 0.003: 0.1}[config["optimizer"]["lr"]]

    def score(checkpoint: Path, on_progress):
        kid = rank - load_header(checkpoint).cur_nimg / 1e6
        return Watched(kid=Metric(value=kid, low=kid - 0.01, high=kid + 0.01), variety={})

    return score


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "GANFLOW_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path))
    settings = Settings()
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
    write_version(settings.resident_dir, MD5, {"train": DecodedSplit(images.shape, [(images, np.arange(40) % 2)])})
    return settings


def header(config):
    return Header(
        config=config.model_dump(mode="json"),
        training_hash=config.training_hash(),
        dataset_md5=MD5,
        channels=1,
        num_classes=2,
        class_names=("a", "b"),
    )


def planned():
    configuration = resolve_config("debug", ["train.log_kimg=0.064"])
    config = budgeted(configuration, 0.256)
    headers = tuple(header(config.changed(*changes).config) for changes in TRIALS)
    dataset = CurrentDataset(MD5, DatasetInfo.model_construct(), "")
    return TuningPlan(configuration, config.config, dataset, (), TRIALS, headers)


@flow(name="searching")
def searching(plan, run_id):
    return search_trials(plan, run_id, None, open_score)


def test_a_search_stops_the_worse_and_goes_on_where_it_was(settings):
    plan = planned()
    with ray_cluster(settings), suppress(KeyboardInterrupt), opened_search(settings, plan) as log:
        records = searching(plan, log.run_id)
        raise KeyboardInterrupt
    assert [record.outcome for record in records] == ["finished", "stopped", "finished"]
    assert records[0].kid == pytest.approx(0.3 - 0.256e-3)
    assert [mark.kimg for mark in records[2].marks] == [0.064, 0.128, 0.192, 0.256]
    assert records[1].kimg < 0.256

    client = MlflowClient(settings.tracking_uri)
    experiment = client.get_experiment_by_name(TUNING).experiment_id
    runs = {run.info.run_id: run for run in client.search_runs([experiment])}
    assert len(runs) == 4
    assert not {"recipe", "training_hash", "dataset_md5"} & {tag for run in runs.values() for tag in run.data.tags}
    assert client.get_experiment_by_name(TRAINING) is None
    for record in records:
        run = runs[record.run_id]
        assert (run.info.status, run.data.tags[PARENT]) == ("FINISHED", log.run_id)
        assert run.data.params["optimizer.lr"] == str(plan.configuration.changed(*record.changes).config.optimizer.lr)
        assert bool(client.list_artifacts(record.run_id, CHECKPOINT)) == (record.outcome == "finished")

    assert unfinished_search(settings, plan) == log.run_id
    client.set_terminated(records[2].run_id, "KILLED")
    assert sorted(finished_trials(settings, plan, log.run_id)) == [0, 1]
    with ray_cluster(settings), opened_search(settings, plan) as again:
        assert again.run_id == log.run_id
        found = searching(plan, again.run_id)
    assert found[:2] == records[:2]
    assert found[2].run_id != records[2].run_id
    assert found[2].marks == records[2].marks
    assert unfinished_search(settings, plan) is None
