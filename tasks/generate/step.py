"""The step `generate`: a release."""

from collections.abc import Callable
from pathlib import Path

import torch
from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from gan.configuration.provenance import Configuration
from gan.generation.program_file import load_program_bytes
from gan.metrics.evaluation import Evaluation
from tasks.champion.store import read_history
from tasks.dataset.repository import recover, track_release
from tasks.generate.asked import asked_quotas
from tasks.generate.here import Here
from tasks.generate.licence import model_origin, require_license
from tasks.generate.marking import release_marks
from tasks.generate.on_ray import OnRay
from tasks.generate.packed import Drawer
from tasks.generate.release import Proof, Release, build_release
from tasks.generate.signature import load_signing_key
from tasks.releases.states import recall_releases
from tasks.reports import artifacts
from tasks.runtime.progress import progress
from tasks.runtime.retry import step
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, run
from tasks.tracking.inputs import log_model_input, version_model_id
from tasks.tracking.registry import read_program
from tasks.tracking.runs import run_artifact
from tasks.tracking.versions import RegisteredModel, find_model
from tasks.train.step import TRAINING_DIGESTS

_MOST_WORDS = 2000  # in a tag, of quotas by class for instance; the manifest has all


class Released(BaseModel):
    """What `draw_release` made.

    Attributes:
        name: of the release.
        path: its folder.
        md5: DVC's name of its bytes.
        num_images: in it.
        model_version: that they were drawn from.
        first_seed: of the first image.
        existed: it was complete before, and was checked instead of drawn.
        licence: of the images that the model was trained on, as an SPDX expression; None where nobody said it.
        signed_by: fingerprint of the key that signed; None without one.
        push_error: why the release is not in DVC's remote; None where it is.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    path: str
    md5: str
    num_images: int
    model_version: int
    first_seed: int
    existed: bool
    licence: str | None = None
    signed_by: str | None = None
    push_error: str | None = None


@step(cache_policy=NO_CACHE)
def draw_release(
    version: int,
    name: str,
    configuration: Configuration,
    seed: int | None,
    workers: int | None = None,
    sign: str | None = None,
    licence_required: bool = False,
) -> Released:
    """Draw, check and track a release. Buys a retry, which goes on with the same release, and a picture."""
    settings, logger = Settings(), get_run_logger()
    recover(settings)
    model = find_model(settings, str(version))
    key = load_signing_key(Path(sign)) if sign else None
    origin = (require_license if licence_required else model_origin)(settings, model)
    evaluation = Evaluation.from_json(run_artifact(settings, model.run_id, "evaluation.json"))
    digests = frozenset(run_artifact(settings, model.run_id, TRAINING_DIGESTS).read_text("utf-8", "replace").split())
    config = configuration.config.release
    quotas = asked_quotas(settings, model, config)
    content, file = read_program(settings, model)
    with progress("generating", sum(quotas), logger) as update:
        release = build_release(
            settings,
            model,
            load_program_bytes(content, file),
            config,
            name=name,
            evaluation=evaluation,
            training_digests=digests,
            configuration=str(configuration),
            seed=seed,
            quotas=quotas,
            proof=Proof(release_marks(model, name), origin, key),
            drawer=_drawer(settings, content, file, workers, logger.warning),
            on_progress=update,
            on_warning=logger.warning,
        )
    md5, push_error = track_release(settings, release.folder)
    if push_error:
        logger.warning(push_error)
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
        licence=(release.manifest.get("dataset") or {}).get("licence"),
        signed_by=release.manifest.get("signed_by"),
        push_error=push_error,
    )


def _drawer(
    settings: Settings, content: bytes, file: str, workers: int | None, on_warning: Callable[[str], None]
) -> Drawer:
    """What draws: a cluster where one is named, several processes where they are asked for, else this one."""
    if settings.on_cluster or (workers or 1) > 1:
        return OnRay(settings, content, workers, on_warning)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Here(load_program_bytes(content, file, device), device)


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
        "configuration": release.manifest.get("configuration", "")[:_MOST_WORDS],
    }
    with run(settings, RELEASES, release.folder.name, tags) as log:
        log_model_input(log, version_model_id(settings, model.version))
        log.file(release.folder / "manifest.json")
        log.file(release.folder / "samples.png")
        log.file(release.folder.with_name(f"{release.folder.name}.dvc"))
