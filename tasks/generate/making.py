"""A release made from what the registry and the dataset say: everything is looked up here, and drawn by `release`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from gan.configuration.config import Config, EvaluationConfig
from gan.configuration.provenance import Configuration
from gan.errors import DatasetError
from gan.evaluation.real import RealFeatures, RealImages
from gan.generation.program_file import load_program_bytes
from gan.generation.sampling import Program
from gan.metrics.evaluation import Evaluation
from tasks.evaluate.extraction import open_extraction
from tasks.evaluate.references import dataset_version
from tasks.generate.asked import asked_quotas
from tasks.generate.drawing import Probe, choose_precision, find_drawer
from tasks.generate.judging import Judge
from tasks.generate.licence import model_origin, require_license
from tasks.generate.marking import Proof, release_marks
from tasks.generate.names import first_seed
from tasks.generate.outlook import Outlook, look_ahead
from tasks.generate.realistic import realistic
from tasks.generate.release import Release, build_release
from tasks.generate.selecting import select
from tasks.generate.signature import load_signing_key
from tasks.runtime.progress import Reporter
from tasks.runtime.settings import Settings
from tasks.tracking.registry import read_program, truncated
from tasks.tracking.runs import run_artifact
from tasks.tracking.version_tags import LEARNT_THROUGH, version_tags
from tasks.tracking.versions import RegisteredModel
from tasks.train.step import TRAINING_DIGESTS

Say = Callable[[str], None]
_PROBED = 256  # images by which it is told whether the model copies, and whether bf16 draws the same


@dataclass(frozen=True)
class Wanted:
    """What release is asked for.

    Attributes:
        name: of it.
        configuration: its section `release` says how many images.
        seed: first seed; None: derived from version and name.
        workers: processes that draw; None: as many as are worth it here, or all of a cluster.
        sign: path of the key that signs; None: none does.
        licence_required: whether the licence of the training images has to be known.
    """

    name: str
    configuration: Configuration
    seed: int | None = None
    workers: int | None = None
    sign: str | None = None
    licence_required: bool = False


def make_release(
    settings: Settings, model: RegisteredModel, wanted: Wanted, reporter: Reporter, on_warning: Say
) -> Release:
    """Draw and judge a release.

    Raises:
        GanflowError: see `build_release`; or key, licence, dataset or program are not to be had.
    """
    key = load_signing_key(Path(wanted.sign)) if wanted.sign else None
    origin = (require_license if wanted.licence_required else model_origin)(settings, model)
    evaluation = Evaluation.from_json(run_artifact(settings, model.run_id, "evaluation.json"))
    digests = frozenset(run_artifact(settings, model.run_id, TRAINING_DIGESTS).read_text("utf-8", "replace").split())
    config = wanted.configuration.config
    quotas = asked_quotas(settings, model, config.release)
    content, file = read_program(settings, model)
    content = truncated(settings, model, content, config.release.truncation)
    program = load_program_bytes(content, file)
    probe = _probe(model, program, wanted.name)
    precision = choose_precision(settings, config.release.precision, content, file, probe, on_warning)
    count, outlook = sum(quotas), Outlook(reporter)
    judge = _judge(settings, model, config, evaluation, program, wanted.name, count, probe, outlook, on_warning)
    marks = release_marks(model, wanted.name)
    look_ahead(outlook, judge, program, probe, marks, count, config.release)
    outlook.begin("generating", count)
    return build_release(
        settings,
        model,
        program,
        config.release,
        name=wanted.name,
        evaluation=evaluation,
        training_digests=digests,
        configuration=str(wanted.configuration),
        seed=wanted.seed,
        quotas=quotas,
        proof=Proof(marks, origin, key, version_tags(settings, model).get(LEARNT_THROUGH)),
        judge=judge,
        drawer=find_drawer(settings, content, file, wanted.workers, precision, on_warning),
        precision=precision,
        on_progress=reporter,
        counting=outlook.begin,
        on_warning=on_warning,
    )


def _judge(
    settings: Settings,
    model: RegisteredModel,
    config: Config,
    evaluation: Evaluation,
    program: Program,
    name: str,
    count: int,
    probe: Probe,
    outlook: Outlook,
    on_warning: Say,
) -> Judge:
    wanted, notes, real = config.release, list[str](), None
    least = wanted.min_realism
    if wanted.reject_copies or wanted.reject_duplicates or wanted.check_images or least is not None:
        try:
            real = dataset_version(settings, model.dataset_md5, model.class_names)
        except DatasetError as error:
            if least is not None:
                raise DatasetError(f"release.min_realism is {least:g}, which asks for real images: {error}") from None
            notes.append(f"the images were not held against those that were trained on: {error}")
            on_warning(notes[0])
    protocol = evaluation.protocol
    same = {"precision": protocol.precision, "resize": protocol.resize, "seed": protocol.seed}
    measuring = config.evaluation.model_copy(update=same)
    features = cache(partial(_features, settings, measuring, on_warning))

    hold = None
    if real is not None and least is not None:
        hold = partial(realistic, settings, measuring, partial(features, real), least, outlook.begin)
    first, labels = probe.images, probe.labels
    selecting = select(
        settings,
        wanted,
        real,
        name=name,
        count=count,
        first=first,
        labels=labels,
        open_realistic=hold,
        counting=outlook.begin,
    )
    if selecting.refused:
        on_warning(f"{selecting.refused}: the release will be refused")
    return Judge(model, program, config, evaluation, selecting, real, features, outlook.begin, notes)


def _probe(model: RegisteredModel, program: Program, name: str) -> Probe:
    labels = np.arange(_PROBED, dtype=np.int64) % max(1, len(model.class_names)) - (0 if model.class_names else 1)
    seeds = np.arange(_PROBED, dtype=np.int64) + first_seed(model.name, model.version, name)
    return Probe.of(program, seeds, labels)


def _features(settings: Settings, config: EvaluationConfig, on_warning: Say, real: RealImages) -> RealFeatures:
    extraction = open_extraction(settings, config, on_warning=on_warning)
    return RealFeatures(real, extraction, settings.cache_dir, config.seed)
