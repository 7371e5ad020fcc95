"""The pipeline's steps as Prefect tasks; each docstring says what Prefect buys there."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy
from pydantic import BaseModel, ConfigDict

from gan.config import Config
from gan.context import Progress
from gan.data.dataset import build_dataset, read_dataset_info
from gan.data.shards import read_column, read_split
from gan.data.sources import open_source
from gan.errors import GanflowError
from gan.evaluate import Evaluator, metrics_of
from gan.export import export_program
from gan.grids import class_grid_png, grid_png
from gan.loop import SAMPLE_COLUMNS
from gan.metrics.evaluation import Decision, Evaluation
from gan.metrics.protocol import METRICS_VERSION
from gan.metrics.weights import find_inception_weights
from tasks import artifacts
from tasks.card import model_card
from tasks.dvc_repo import recover, track_release, version_dataset
from tasks.progress import progress
from tasks.registry import (
    RegisteredModel,
    find_model,
    load_generator,
    load_program,
    promote,
    register,
)
from tasks.release import Release, build_release
from tasks.settings import Settings
from tasks.tracking import DATASETS, RELEASES, RunLog, client, run, run_artifact, run_tags
from tasks.training import checkpoint_header, train_on_ray

# Beside a run: what a release is compared with to count copies, wherever and whenever it is drawn.
TRAINING_DIGESTS = "training_images.sha256"


class Record(BaseModel):
    """A plain record that passes between steps."""

    model_config = ConfigDict(frozen=True)


class Ingested(Record):
    """What `ingest_source` did; `push_error` is a sentence where the remote failed."""

    md5: str
    changed: bool
    num_train: int
    num_test: int
    classes: int
    rejects: int
    push_error: str | None


class Trained(Record):
    """What `train_generator` made: an MLflow run with the checkpoint as its artifact."""

    run_id: str
    cur_nimg: int
    dataset_md5: str


class Released(Record):
    """What `draw_release` made."""

    name: str
    path: str
    md5: str
    num_images: int
    model_version: int
    first_seed: int
    existed: bool


def worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    """Retry what may be the weather, never what ganflow can explain: that would fail again."""
    try:
        state.result()
    except GanflowError:
        return False
    except Exception:
        return True
    return False


def device() -> torch.device:
    """Where features are computed."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@task(retries=1, retry_delay_seconds=5, retry_condition_fn=worth_retrying, cache_policy=NO_CACHE)
def ingest_source(source: str, config: Config) -> Ingested:
    """Build a dataset from a source and make it the current version. Buys a retry and two artifacts."""
    settings, logger = Settings(), get_run_logger()
    recover(settings)
    opened = open_source(source)
    scratch = Path(tempfile.mkdtemp(dir=settings.state_dir, prefix="ingest-"))
    try:
        with progress("ingesting", len(opened), logger) as update:
            earlier = settings.data_dir if (settings.data_dir / "dataset.json").exists() else None
            info = build_dataset(
                opened, config.data, scratch / "data", previous=earlier, on_progress=lambda done, _: update(done)
            )
        version = version_dataset(settings, scratch / "data")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if version.push_error:
        logger.warning(version.push_error)
    png = _dataset_grid(settings.data_dir)
    with run(settings, DATASETS, version.md5[:12], {"dataset_md5": version.md5, "source": opened.name}) as log:
        log.metrics({"num_train": info.num_train, "num_test": info.num_test, "rejects": info.num_rejects}, step=0)
        log.bytes(png, "samples.png")
        log.file(settings.data_dir / "dataset.json")
        log.file(settings.home / "data.dvc")
    artifacts.dataset_table(info, version.md5)
    artifacts.picture("dataset-samples", png, f"the first images of dataset {version.md5}")
    return Ingested(
        md5=version.md5,
        changed=version.changed,
        num_train=info.num_train,
        num_test=info.num_test,
        classes=info.num_classes,
        rejects=info.num_rejects,
        push_error=version.push_error,
    )


def _dataset_grid(data_dir: Path) -> bytes:
    images, labels = next(iter(read_split(data_dir, "train")))
    return class_grid_png(images, labels)


@task(retries=1, retry_delay_seconds=5, retry_condition_fn=worth_retrying, cache_policy=NO_CACHE)
def train_generator(run_id: str, config: Config, dataset_md5: str, workers: int) -> Trained:
    """Train on Ray and log to the MLflow run. Buys a retry, which goes on from the last checkpoint, and a picture."""
    settings, logger = Settings(), get_run_logger()
    log = RunLog(client(settings), run_id)
    header = checkpoint_header(config, read_dataset_info(settings.data_dir), dataset_md5)
    log.text("\n".join(read_column(settings.data_dir, "train", "sha256")) + "\n", TRAINING_DIGESTS)
    last_grid: list[bytes] = []
    with progress("training", config.train.total_images, logger) as update:

        def show(record: Progress) -> None:
            if record.metrics:
                log.metrics(record.metrics, step=record.cur_nimg)
                update(record.cur_nimg, "  ".join(f"{k} {record.metrics[k]:.3f}" for k in ("D_loss", "G_loss")))
            if record.samples is not None:
                last_grid[:] = [grid_png(record.samples, SAMPLE_COLUMNS)]
                log.bytes(last_grid[0], f"samples/samples-{record.cur_nimg:012d}.png")

        with tempfile.TemporaryDirectory(dir=settings.state_dir, prefix="checkpoint-") as folder:
            result = train_on_ray(
                config, header, settings, name=run_id, workers=workers, destination=Path(folder), on_progress=show
            )
            log.folder(result.checkpoint, "checkpoint")
    if last_grid:
        artifacts.picture("training-samples", last_grid[0], f"G_ema after {result.cur_nimg} images, a row per class")
    return Trained(run_id=run_id, cur_nimg=result.cur_nimg, dataset_md5=dataset_md5)


def _evaluation_key(_context: Any, parameters: dict[str, Any]) -> str:
    config: Config = parameters["config"]
    facts = [
        parameters["run_id"],
        parameters["dataset_md5"],
        config.evaluation.model_dump(mode="json"),
        METRICS_VERSION,
        torch.__version__,
    ]
    return "evaluation-" + hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@task(cache_policy=CacheKeyFnPolicy(cache_key_fn=_evaluation_key), persist_result=True)
def evaluate_generator(run_id: str, version: int | None, config: Config, dataset_md5: str) -> Evaluation:
    """Score a run's generator, as registered version or from its checkpoint. Buys a cache.

    The key is the training run, the dataset, the evaluation's settings and the metrics' code version, so a champion
    that was scored under the very protocol of a candidate is not passed through the network again.
    """
    settings, logger = Settings(), get_run_logger()
    if version is None:
        program: Any = export_program(load_generator(run_artifact(settings, run_id, "checkpoint"))).module()
        subject = f"run {run_id}"
    else:
        program = load_program(settings, find_model(settings, str(version)))
        subject = f"version {version}"
    # One evaluator at a time: it is dropped, with the network's 90 MB, when the task ends.
    evaluator = Evaluator(
        config.evaluation,
        data_dir=settings.data_dir,
        dataset_md5=dataset_md5,
        weights=find_inception_weights(settings.ganflow_inception_weights, settings.cache_dir),
        cache_dir=settings.cache_dir,
        device=device(),
    )
    with progress("evaluating", evaluator.images_to_pass, logger) as update:
        evaluator.on_progress = update
        evaluation = evaluator.evaluate(program)
    artifacts.metrics(evaluation, f"evaluation of {subject}")
    return evaluation


@task(cache_policy=NO_CACHE)
def register_generator(run_id: str, evaluation: Evaluation) -> int:
    """Export a run's generator, register it as challenger and store its evaluation. Buys an artifact: the link."""
    settings = Settings()
    log = RunLog(client(settings), run_id)
    checkpoint = run_artifact(settings, run_id, "checkpoint")
    header = json.loads((checkpoint / "header.json").read_text())
    tags = run_tags(settings, run_id)
    names = header["class_names"] if header["num_classes"] else []
    facts = {key: tags[key] for key in ("dataset_md5", "preset")} | {"class_names": json.dumps(names)}
    card = model_card(class_names=names, tags=facts, evaluation=evaluation, kimg=header["cur_nimg"] / 1000)
    log.metrics(metrics_of(evaluation), step=header["cur_nimg"])
    with tempfile.TemporaryDirectory() as folder:
        evaluation.to_json(Path(folder) / "evaluation.json")
        log.file(Path(folder) / "evaluation.json")
    log.text(card, "model_card.md")
    scores = {key: f"{value:.6g}" for key, value in metrics_of(evaluation).items()}
    model = register(settings, log, load_generator(checkpoint), tags=facts | scores, card=card)
    log.tags({"model_version": str(model.version)})
    return model.version


@task(cache_policy=NO_CACHE)
def promote_or_keep(version: int, verdict: Decision) -> str:
    """Move the aliases as the verdict says; returns the version's alias. Buys an artifact: the reason in words."""
    settings = Settings()
    model = find_model(settings, str(version))
    if verdict.promote:
        promote(settings, model)
    alias = "champion" if verdict.promote else "challenger"
    client(settings).set_tag(model.run_id, "verdict", f"{alias}: {verdict.reason}")
    get_run_logger().info("version %d is %s: %s", version, alias, verdict.reason)
    artifacts.decision(f"# Version {version} is {alias}\n\nDecided by `{verdict.metric}`: {verdict.reason}.")
    return alias


@task(retries=1, retry_delay_seconds=5, retry_condition_fn=worth_retrying, cache_policy=NO_CACHE)
def draw_release(version: int, name: str, config: Config, seed: int | None) -> Released:
    """Draw, check and track a release. Buys a retry, which makes the same release again, and a picture."""
    settings, logger = Settings(), get_run_logger()
    recover(settings)
    model = find_model(settings, str(version))
    evaluation = Evaluation.from_json(run_artifact(settings, model.run_id, "evaluation.json"))
    digests = frozenset(run_artifact(settings, model.run_id, TRAINING_DIGESTS).read_text().split())
    with progress("generating", config.release.num_images, logger) as update:
        release = build_release(
            settings,
            model,
            load_program(settings, model),
            config.release,
            name=name,
            evaluation=evaluation,
            training_digests=digests,
            seed=seed,
            on_progress=update,
        )
    md5 = track_release(settings, release.folder)
    _log_release(settings, model, release, md5)
    artifacts.picture("release-samples", (release.folder / "samples.png").read_bytes(), f"release {name}")
    return Released(
        name=name,
        path=str(release.folder),
        md5=md5,
        num_images=release.manifest["generation"]["num_images"],
        model_version=version,
        first_seed=release.manifest["generation"]["first_seed"],
        existed=release.existed,
    )


def _log_release(settings: Settings, model: RegisteredModel, release: Release, md5: str) -> None:
    tags = {
        "release": release.folder.name,
        "release_md5": md5,
        "model_version": str(model.version),
        "training_run": model.run_id,
        "dataset_md5": model.dataset_md5,
    }
    with run(settings, RELEASES, release.folder.name, tags) as log:
        log.file(release.folder / "manifest.json")
        log.file(release.folder / "samples.png")
        log.file(release.folder.with_name(f"{release.folder.name}.dvc"))
