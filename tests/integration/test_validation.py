"""The metric beside training, on a real Ray of this machine."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import ray
import torch
from mlflow import MlflowClient
from prefect.logging import disable_run_logger

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import debug
from gan.data.store.resident_cache import DecodedSplit, write_version
from gan.device.precision import native_bf16
from gan.errors import DatasetError, NonFiniteLossError
from gan.evaluation.watch import Watched
from gan.generation.grids import grid_png, read_grid_png
from gan.metrics.evaluation import Metric
from gan.metrics.variety import Variety
from gan.metrics.weights import find_inception_weights
from gan.training.checkpoint import load_header
from gan.training.header import Header
from gan.training.state import SAMPLE_COLUMNS
from tasks.reports import artifacts
from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, RunLog, client, experiment_id
from tasks.train.channel import Scoring
from tasks.train.resources import WorkerRange
from tasks.train.step import train_generator
from tasks.train.trainer import train_on_ray
from tasks.train.validator import ValidationPayload, open_kid, start_validator

pytestmark = pytest.mark.integration
MD5 = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    settings = Settings(ganflow_home=home, ray_address=None, mlflow_tracking_uri=None, ganflow_storage=None)
    rows = {}
    for split, count in (("train", 40), ("test", 8)):
        images = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 1), np.uint8)
        rows[split] = DecodedSplit(images.shape, [(images, np.arange(count) % 2)])
    write_version(settings.resident_dir, MD5, rows)
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
    return Header(
        config=config.model_dump(mode="json"),
        training_hash=config.training_hash(),
        dataset_md5=MD5,
        channels=1,
        num_classes=2,
        class_names=("a", "b"),
    )


def with_precision(config):
    precision = "bf16" if native_bf16(torch.device("cpu")) else "fp32"
    return config.evaluation.model_dump(mode="json") | {"precision": precision}


def train(
    settings, destination, config, open_score, *, name, on_progress=lambda record: None, on_scoring=lambda scoring: None
):
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
        workers=WorkerRange(1, 1),
        destination=destination,
        on_progress=show,
        on_warning=warnings.append,
        on_scoring=on_scoring,
        open_score=open_score,
    )
    return result, records, warnings


@pytest.mark.slow
def test_the_best_checkpoint_is_taken_and_the_last_is_resumed_from(settings, tmp_path):
    scores = {64: "die", 128: 0.3, 192: 0.1, 256: "raise", 320: 0.2, 384: 0.4}
    ended = tmp_path / "ended"

    def open_known(payload):
        def score(checkpoint, on_progress):
            on_progress(3, 7)
            while not ended.exists():  # were training to wait for a score, it would never come here
                time.sleep(0.05)
            value = scores[load_header(checkpoint).cur_nimg]
            if value == "die":
                os._exit(1)
            if value == "raise":
                raise DatasetError("the images are gone: bring them back")
            kid = Metric(value=value, low=value - 0.05, high=value + 0.05)
            return Watched(kid, {0: Variety(0.9, 8, 8), 1: Variety(value / 10, 8, 8)})

        return score

    def end(record):
        if record.cur_nimg == 384:
            ended.touch()

    whole, scorings = config(6), []
    result, records, warnings = train(
        settings, tmp_path / "a", whole, open_known, name="known", on_progress=end, on_scoring=scorings.append
    )
    assert Scoring(128, 3, 7) in scorings
    assert (result.cur_nimg, result.end_nimg, result.kid) == (192, 384, 0.1)
    assert load_header(tmp_path / "a").cur_nimg == 192
    measured = {record.cur_nimg: record.metrics for record in records if "kid" in record.metrics}
    assert {nimg: metrics["kid"] for nimg, metrics in measured.items()} == {128: 0.3, 192: 0.1, 320: 0.2, 384: 0.4}
    assert (measured[192]["kid_low"], measured[192]["kid_high"]) == (0.1 - 0.05, 0.1 + 0.05)
    assert {nimg: metrics["variety"] for nimg, metrics in measured.items()} == {
        nimg: pytest.approx(scores[nimg] / 10) for nimg in measured
    }
    collapse, *warnings = sorted(warnings, key=lambda sentence: "collapse" not in sentence)
    assert collapse.startswith("class b seems to collapse: at 128 images, 8 generated images of it vary 0.03 times")
    assert len(warnings) == 2, warnings
    assert "cannot be measured (Actor" in warnings[0], warnings
    assert warnings[1] == (
        "the KID beside training cannot be measured (the images are gone: bring them back): training goes on without it"
    )
    kept = [path for path in (settings.state_dir / "runs" / "known").glob("checkpoint_*") if path.is_dir()]
    assert sorted(load_header(path).cur_nimg for path in kept) == [192, 320, 384]

    # From the best one, 192 more images would be trained again; and what Ray Train wrote down of checkpoints without a
    # score can be read.
    again, records, _ = train(settings, tmp_path / "b", whole, open_known, name="known")
    assert records == []
    assert (again.cur_nimg, again.end_nimg, again.kid) == (192, 384, 0.1)


@pytest.mark.slow
def test_without_any_score_the_last_checkpoint_is_taken_and_one_sentence_says_why(settings, tmp_path):
    def open_broken(payload):
        raise DatasetError("no network here: bring one")

    result, records, warnings = train(settings, tmp_path / "a", config(3), open_broken, name="broken")
    assert (result.cur_nimg, result.end_nimg, result.kid) == (192, 192, None)
    assert load_header(tmp_path / "a").cur_nimg == 192
    assert [record.cur_nimg for record in records] == [64, 128, 192]
    assert warnings == [
        "the KID beside training cannot be measured (no network here: bring one): training goes on without it"
    ]


@pytest.mark.slow
def test_a_training_that_fails_does_not_wait_for_scores(settings, tmp_path):
    def open_endless(payload):
        return lambda checkpoint, on_progress: time.sleep(3600)

    # the first step has the first learning rate, and leaves a checkpoint
    hot = apply_overrides(
        config(3), ["optimizer.final_lr=1e30", "train.checkpoint_kimg=0.032", "train.most_bad_steps=0"]
    )
    with pytest.raises(NonFiniteLossError, match="NaN or infinite at image"):
        train(settings, tmp_path / "a", hot, open_endless, name="hot")
    assert list((settings.state_dir / "runs" / "hot").glob("checkpoint_*/tensors.pt"))


@pytest.mark.slow
def test_mlflow_has_the_kid_of_every_checkpoint_and_the_best_of_them(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("GANFLOW_HOME", str(settings.home))
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "GANFLOW_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    shown = {}
    monkeypatch.setattr(artifacts, "picture", lambda key, png, description: shown.update({key: (png, description)}))
    run = client(settings).create_run(experiment_id(client(settings), settings, TRAINING))
    small = config(2)
    # what another process left of this run before it was resumed
    earlier = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1), dtype=np.uint8)
    log = RunLog(client(settings), run.info.run_id)
    log.bytes(grid_png(earlier, SAMPLE_COLUMNS), "samples/samples-000000000032.png")
    log.bytes(b"cut short", "samples/samples-000000000064.png")
    with disable_run_logger():
        trained = train_generator.fn(run.info.run_id, small, header(small), workers=WorkerRange(1, 1))
    mlflow = MlflowClient(settings.tracking_uri)
    found = {point.step: point.value for point in mlflow.get_metric_history(run.info.run_id, "kid")}
    assert sorted(found) == [64, 128]
    best = min(found, key=found.get)
    assert (trained.cur_nimg, trained.end_nimg, trained.kid) == (best, 128, found[best])
    metrics = mlflow.get_run(run.info.run_id).data.metrics
    assert (metrics["best_nimg"], metrics["best_kid"]) == (best, found[best])
    assert metrics["kid_low"] < metrics["kid"] < metrics["kid_high"]
    assert {point.step for point in mlflow.get_metric_history(run.info.run_id, "variety")} == {64, 128}

    # the film strip holds what was sampled before, and only what can be read; 5 images of each of the 2 classes
    stored = settings.home / "mlartifacts" / TRAINING / run.info.run_id / "artifacts" / "samples"
    film = read_grid_png((stored / "film.png").read_bytes(), (20, 16, 16, 1), 10)
    last = read_grid_png((stored / "samples-000000000128.png").read_bytes(), (20, 16, 16, 1), SAMPLE_COLUMNS)
    picked = [*range(5), *range(10, 15)]
    np.testing.assert_array_equal(film, np.concatenate([earlier[picked], last[picked]]))
    assert shown["training-film"] == ((stored / "film.png").read_bytes(), "G_ema, from the top, after 32, 128 images")
    assert shown["training-samples"][0] == (stored / "samples-000000000128.png").read_bytes()

    # the very same number comes of the checkpoint beside the run, in this process
    checkpoint = settings.home / "mlartifacts" / TRAINING / run.info.run_id / "artifacts" / "checkpoint"
    assert load_header(checkpoint).cur_nimg == best
    weights = find_inception_weights(None, settings.cache_dir)
    score = open_kid(ValidationPayload(header(small), with_precision(small), str(settings.home), str(weights)))
    assert score(checkpoint, lambda passed, to_pass: None).kid.value == pytest.approx(found[best], rel=1e-6)

    # and on another node, which has nothing of the home: the dataset is in its cache, the weights travel
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("GANFLOW_CACHE", str(tmp_path / "node"))
    shutil.copytree(settings.resident_dir, tmp_path / "node" / "resident")
    content = ray.put(np.fromfile(weights, np.uint8))
    gone = str(tmp_path / "gone" / weights.name)
    score = open_kid(ValidationPayload(header(small), with_precision(small), None, gone, content=content))
    assert score(checkpoint, lambda passed, to_pass: None).kid.value == pytest.approx(found[best], rel=1e-6)
    assert (tmp_path / "node" / "features").is_dir()


@pytest.mark.parametrize(
    ("node", "travels", "home"), [("own", True, "H"), ("other", True, None), ("other", False, "H")]
)
def test_what_scores_on_another_node_does_without_the_home(settings, tmp_path, node, travels, home):
    found = tmp_path / "found"

    def open_home(payload):
        found.write_text(str(payload.home))

    own = ray.get_runtime_context().get_node_id()
    content = ray.put(np.zeros(1, np.uint8)) if travels else None
    payload = ValidationPayload({}, {}, "H", "w", node=own if node == "own" else node, content=content)
    validator = start_validator(payload, open_home, gpu=False)
    ray.get(validator.open.remote())
    assert found.read_text() == str(home)
    ray.kill(validator)


KILLED_WHILE_IT_SCORED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_validation import config, train
from tasks.runtime.settings import Settings

home, told = Path(sys.argv[2]), Path(sys.argv[3])

def open_endless(payload):
    def score(checkpoint, on_progress):
        told.touch()
        time.sleep(1e6)
    return score

settings = Settings(ganflow_home=home, ray_address=None, mlflow_tracking_uri=None, ganflow_storage=None)
train(settings, told.with_name("never"), config(2), open_endless, name="scored-again")
"""


@pytest.mark.slow
def test_scores_that_a_killed_driver_did_not_live_to_see_are_measured_when_the_run_goes_on(settings, tmp_path):
    told = tmp_path / "told"
    arguments = [str(Path(__file__).parent), str(settings.home), str(told)]
    checkpoints = settings.state_dir / "runs" / "scored-again"
    with subprocess.Popen([sys.executable, "-c", KILLED_WHILE_IT_SCORED, *arguments]) as driver:
        while not (told.exists() and len(list(checkpoints.glob("checkpoint_*/sha256.json"))) == 2):
            assert driver.poll() is None, "it waits for its scores"
            time.sleep(0.1)
        driver.kill()

    def open_known(payload):
        def score(checkpoint, on_progress):
            nimg = load_header(checkpoint).cur_nimg
            kid = Metric(value=nimg / 1000, low=0.0, high=1.0)
            return Watched(kid, {})

        return score

    result, records, warnings = train(settings, tmp_path / "a", config(2), open_known, name="scored-again")
    assert warnings == []
    assert {each.cur_nimg: each.metrics["kid"] for each in records if "kid" in each.metrics} == {64: 0.064, 128: 0.128}
    assert (result.cur_nimg, result.kid) == (64, 0.064)
