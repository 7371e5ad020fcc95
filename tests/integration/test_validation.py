"""The metric beside training, on a real Ray of this machine."""

import os
import time

import numpy as np
import pytest
from mlflow import MlflowClient
from prefect.logging import disable_run_logger

from gan.checkpoint import load_header
from gan.config import apply_overrides
from gan.errors import DatasetError, NonFiniteLossError
from gan.metrics.evaluation import Metric
from gan.metrics.weights import find_inception_weights
from gan.presets import debug
from tasks import artifacts
from tasks.settings import Settings
from tasks.steps.train import train_generator
from tasks.tracking import TRAINING, client, experiment_id
from tasks.training import ray_cluster, train_on_ray
from tasks.validation import ValidationPayload, open_kid

pytestmark = pytest.mark.integration
MD5 = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    settings = Settings(ganflow_home=home, ray_address=None, mlflow_tracking_uri=None, ganflow_storage=None)
    folder = settings.resident_dir / MD5
    folder.mkdir(parents=True)
    for split, count in (("train", 40), ("test", 8)):
        np.save(folder / f"{split}-images.npy", np.random.default_rng(0).integers(0, 256, (count, 16, 16, 1), np.uint8))
        np.save(folder / f"{split}-labels.npy", np.arange(count) % 2)
    with ray_cluster(settings):
        yield settings


def config(checkpoints, watch_images=16):
    """A training that makes a checkpoint at every 64 images."""
    return apply_overrides(
        debug(),
        [
            f"train.total_kimg={checkpoints * 0.064}",
            "train.checkpoint_kimg=0.064",
            "train.log_kimg=0.064",
            f"evaluation.watch_images={watch_images}",
        ],
    )


def header(config):
    return {
        "config": config.model_dump(mode="json"),
        "training_hash": config.training_hash(),
        "dataset_md5": MD5,
        "channels": 1,
        "num_classes": 2,
        "class_names": ["a", "b"],
    }


def train(settings, destination, config, open_score, *, name, on_progress=lambda record: None):
    """Train on one worker; returns the result, all records with metrics, and all warnings."""
    records, warnings = [], []

    def show(record):
        if record.metrics:
            records.append(record)
        on_progress(record)

    result = train_on_ray(
        config,
        header(config),
        settings,
        name=name,
        workers=1,
        destination=destination,
        on_progress=show,
        on_warning=warnings.append,
        open_score=open_score,
    )
    return result, records, warnings


def test_the_best_checkpoint_is_taken_and_the_last_is_resumed_from(settings, tmp_path):
    scores = {64: "die", 128: 0.3, 192: 0.1, 256: "raise", 320: 0.2, 384: 0.4}
    ended = tmp_path / "ended"

    def open_known(payload):
        def score(checkpoint):
            while not ended.exists():  # were training to wait for a score, it would never come here
                time.sleep(0.05)
            value = scores[load_header(checkpoint)["cur_nimg"]]
            if value == "die":
                os._exit(1)
            if value == "raise":
                raise DatasetError("the images are gone: bring them back")
            return Metric(value=value, low=value - 0.05, high=value + 0.05)

        return score

    def end(record):
        if record.cur_nimg == 384:
            ended.touch()

    whole = config(6)
    result, records, warnings = train(settings, tmp_path / "a", whole, open_known, name="known", on_progress=end)
    assert (result.cur_nimg, result.end_nimg, result.kid) == (192, 384, 0.1)
    assert load_header(tmp_path / "a")["cur_nimg"] == 192
    measured = {record.cur_nimg: record.metrics for record in records if "kid" in record.metrics}
    assert {nimg: metrics["kid"] for nimg, metrics in measured.items()} == {128: 0.3, 192: 0.1, 320: 0.2, 384: 0.4}
    assert (measured[192]["kid_low"], measured[192]["kid_high"]) == (0.1 - 0.05, 0.1 + 0.05)
    assert len(warnings) == 2, warnings
    assert "cannot be measured (Actor" in warnings[0], warnings
    assert warnings[1] == (
        "the KID beside training cannot be measured (the images are gone: bring them back): training goes on without it"
    )
    kept = [path for path in (settings.state_dir / "runs" / "known").glob("checkpoint_*") if path.is_dir()]
    assert sorted(load_header(path)["cur_nimg"] for path in kept) == [192, 320, 384]

    # from the best one, 192 more images would be trained again
    again, records, _ = train(settings, tmp_path / "b", whole, open_known, name="known")
    assert records == []
    assert (again.cur_nimg, again.end_nimg, again.kid) == (192, 384, 0.1)


def test_without_any_score_the_last_checkpoint_is_taken_and_one_sentence_says_why(settings, tmp_path):
    def open_broken(payload):
        raise DatasetError("no network here: bring one")

    result, records, warnings = train(settings, tmp_path / "a", config(3), open_broken, name="broken")
    assert (result.cur_nimg, result.end_nimg, result.kid) == (192, 192, None)
    assert load_header(tmp_path / "a")["cur_nimg"] == 192
    assert [record.cur_nimg for record in records] == [64, 128, 192]
    assert warnings == [
        "the KID beside training cannot be measured (no network here: bring one): training goes on without it"
    ]

    # what Ray Train wrote down of checkpoints without a score can be read again
    again, records, _ = train(settings, tmp_path / "b", config(3), open_broken, name="broken")
    assert records == []
    assert (again.cur_nimg, again.end_nimg, again.kid) == (192, 192, None)


def test_a_training_that_fails_does_not_wait_for_scores(settings, tmp_path):
    def open_endless(payload):
        return lambda checkpoint: time.sleep(3600)

    # the first step has the first learning rate, and leaves a checkpoint
    hot = apply_overrides(config(3), ["optimizer.final_lr=1e30", "train.checkpoint_kimg=0.032"])
    with pytest.raises(NonFiniteLossError, match="NaN or infinite at image"):
        train(settings, tmp_path / "a", hot, open_endless, name="hot")
    assert list((settings.state_dir / "runs" / "hot").glob("checkpoint_*/tensors.pt"))


def test_mlflow_has_the_kid_of_every_checkpoint_and_the_best_of_them(settings, monkeypatch):
    monkeypatch.setenv("GANFLOW_HOME", str(settings.home))
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "GANFLOW_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(artifacts, "picture", lambda *arguments: None)
    run = client(settings).create_run(experiment_id(client(settings), settings, TRAINING))
    small = config(2)
    with disable_run_logger():
        trained = train_generator.fn(run.info.run_id, small, header(small), workers=1)
    mlflow = MlflowClient(settings.tracking_uri)
    found = {point.step: point.value for point in mlflow.get_metric_history(run.info.run_id, "kid")}
    assert sorted(found) == [64, 128]
    best = min(found, key=found.get)
    assert (trained.cur_nimg, trained.end_nimg, trained.kid) == (best, 128, found[best])
    metrics = mlflow.get_run(run.info.run_id).data.metrics
    assert (metrics["best_nimg"], metrics["best_kid"]) == (best, found[best])
    assert metrics["kid_low"] < metrics["kid"] < metrics["kid_high"]

    # the very same number comes of the checkpoint beside the run, in this process
    checkpoint = settings.home / "mlartifacts" / TRAINING / run.info.run_id / "artifacts" / "checkpoint"
    assert load_header(checkpoint)["cur_nimg"] == best
    weights = find_inception_weights(None, settings.cache_dir)
    score = open_kid(ValidationPayload(header(small), str(settings.home), str(weights)))
    assert score(checkpoint).value == pytest.approx(found[best], rel=1e-6)
