"""The step `generate`: a release."""

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from gan.configuration.provenance import Configuration
from gan.metrics.evaluation import Evaluation
from tasks.champion.store import read_history
from tasks.dataset.repository import recover, track_release
from tasks.generate.release import Release, build_release
from tasks.releases.states import recall_releases
from tasks.reports import artifacts
from tasks.runtime.progress import progress
from tasks.runtime.retry import step
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, run
from tasks.tracking.inputs import log_model_input, version_model_id
from tasks.tracking.registry import load_program
from tasks.tracking.runs import run_artifact
from tasks.tracking.versions import RegisteredModel, find_model
from tasks.train.step import TRAINING_DIGESTS


class Released(BaseModel):
    """What `draw_release` made."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: str
    md5: str
    num_images: int
    model_version: int
    first_seed: int
    existed: bool


@step(cache_policy=NO_CACHE)
def draw_release(version: int, name: str, configuration: Configuration, seed: int | None) -> Released:
    """Draw, check and track a release. Buys a retry, which makes the same release again, and a picture."""
    settings, logger = Settings(), get_run_logger()
    recover(settings)
    model = find_model(settings, str(version))
    evaluation = Evaluation.from_json(run_artifact(settings, model.run_id, "evaluation.json"))
    digests = frozenset(run_artifact(settings, model.run_id, TRAINING_DIGESTS).read_text("utf-8", "replace").split())
    config = configuration.config.release
    with progress("generating", config.num_images, logger) as update:
        release = build_release(
            settings,
            model,
            load_program(settings, model),
            config,
            name=name,
            evaluation=evaluation,
            training_digests=digests,
            configuration=str(configuration),
            seed=seed,
            on_progress=update,
        )
    md5 = track_release(settings, release.folder)
    log_release(settings, model, release, md5)
    if version in read_history(settings).withdrawn:  # looked at last: whoever withdraws it later finds the release
        recall_releases(settings, version, "it was drawn from a version that had been withdrawn")
        logger.warning("version %d was withdrawn, so release %s is recalled: see `ganflow history`", version, name)
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


def log_release(settings: Settings, model: RegisteredModel, release: Release, md5: str) -> None:
    """Record a release as a run of `ganflow-releases`; what it was drawn from and with stands in the run's tags."""
    generation = release.manifest["generation"]
    tags = {
        "release": release.folder.name,
        "release_md5": md5,
        "num_images": str(generation["num_images"]),
        "first_seed": str(generation["first_seed"]),
        "model": model.name,
        "model_version": str(model.version),
        "training_run": model.run_id,
        "dataset_md5": model.dataset_md5,
        "configuration": release.manifest.get("configuration", ""),
    }
    with run(settings, RELEASES, release.folder.name, tags) as log:
        log_model_input(log, version_model_id(settings, model.version))
        log.file(release.folder / "manifest.json")
        log.file(release.folder / "samples.png")
        log.file(release.folder.with_name(f"{release.folder.name}.dvc"))
