"""What it takes to train a version once more: its data, configuration, seed, workers, threads and choice."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from gan.configuration.config import EvaluationConfig
from gan.configuration.provenance import Configuration
from gan.errors import CheckpointError, InputError
from gan.metrics.evaluation import Evaluation
from gan.text.shown import reason_of
from gan.training.checkpoint import HEADER
from gan.training.header import Header, WarmStartRecord
from tasks.dataset.earlier import hold_dataset
from tasks.runtime.settings import Settings
from tasks.tracking.own_configuration import version_configuration
from tasks.tracking.runs import REPRODUCES, run_artifact, run_tags
from tasks.tracking.versions import find_model
from tasks.train.code import CODE, GIT_REVISION, RESUMED_CODE, code_tags
from tasks.train.plan import TrainingPlan
from tasks.train.resources import WorkerRange
from tasks.train.trainer import checkpoint_header
from tasks.train.warm_start import WarmStart, find_warm_start


@dataclass(frozen=True)
class Reproduction(TrainingPlan):
    """A training that is to give a version again.

    Attributes:
        version: of the registered model.
        run_id: the training run that it came from.
        recorded: header of its checkpoint.
        workers: as many as there were, each with the threads that it had.
        measuring: under which it was evaluated when it was registered.
        evaluation: of then.
    """

    version: int
    run_id: str
    recorded: Header
    workers: WorkerRange
    measuring: Configuration
    evaluation: Evaluation

    @property
    def tags(self) -> dict[str, str]:
        """No recipe and no training hash: it uses no seed up, and no other training goes on with it."""
        return {"dataset_md5": self.dataset.md5, "preset": self.config.preset, REPRODUCES: str(self.version)}


def plan_reproduction(settings: Settings, version: str) -> Reproduction:
    """Gather what is on record of a version, and fetch its data; nothing is made but a copy in the cache.

    Args:
        settings: where everything is.
        version: a number or an alias.

    Raises:
        ModelNotFoundError: there is no such version.
        InputError: its training run, its evaluation or its dataset is not to be had, or of another ganflow.
    """
    model = find_model(settings, version)
    tags = run_tags(settings, model.run_id)
    recorded = _recorded_header(settings, model.run_id)
    configuration = version_configuration(settings, model)
    evaluation = Evaluation.from_json(run_artifact(settings, model.run_id, "evaluation.json"))
    dataset = hold_dataset(settings, recorded.dataset_md5)
    config = configuration.config
    header = checkpoint_header(config, dataset.info, dataset.md5, recorded.warm_start)
    differs = code_differences(tags, code_tags())
    if not recorded.machine:
        differs.append("torch, device, workers and threads were not recorded: one worker takes all cores")
    return Reproduction(
        config=config,
        dataset=dataset,
        header=_with_choice(header, recorded),
        resumed=None,
        warm_start=_warm_start(settings, recorded.warm_start),
        notes=tuple(differs),
        version=model.version,
        run_id=model.run_id,
        recorded=recorded,
        workers=_workers(recorded),
        measuring=configuration.measuring(_evaluation_config(configuration, evaluation)),
        evaluation=evaluation,
    )


def code_differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Sentences on code that is another than it was, by the tags of a run and `code_tags`."""
    found = [
        f"{what} was {then.get(key, 'not recorded')} and is {now.get(key, 'not known')}"
        for key, what in ((CODE, "the code"), (GIT_REVISION, "the git revision"))
        if then.get(key) != now.get(key)
    ]
    if then.get(RESUMED_CODE, then.get(CODE)) != then.get(CODE):
        found.append(f"the training was cut short, and gone on with by the code {then[RESUMED_CODE]}")
    return found


def _recorded_header(settings: Settings, run_id: str) -> Header:
    text = run_artifact(settings, run_id, f"checkpoint/{HEADER}").read_bytes()
    try:
        return Header.parse(text, f"run {run_id}")
    except CheckpointError as error:
        raise InputError(str(error)) from None


def _workers(recorded: Header) -> WorkerRange:
    """As many as there were, with the threads that each had; one with all cores where neither was written down."""
    count, threads = (recorded.machine.get(key) for key in ("workers", "threads"))
    count = count if type(count) is int and 0 < count < 10**5 else 1
    return WorkerRange(count, count, threads if type(threads) is int and threads > 0 else None)


def _warm_start(settings: Settings, record: WarmStartRecord | None) -> WarmStart | None:
    if record is None:
        return None
    found = find_warm_start(settings, str(record.version))
    if found.record != record:
        raise InputError(
            f"training began with version {record.version} of run {record.run_id}, but the registry now calls another "
            "model so: register that run again under its number, or give up reproducing this version"
        )
    return found


def _evaluation_config(configuration: Configuration, evaluation: Evaluation) -> EvaluationConfig:
    """The settings that give the protocol of then, whatever of them had been changed on the command line."""
    protocol = evaluation.protocol
    said = {
        "num_images": protocol.num_generated,
        "reference_images": protocol.num_reference,
        "reference_split": protocol.reference_split,
        "resize": protocol.resize,
        "precision": protocol.precision,
        "seed": protocol.seed,
        "usefulness_seeds": 0,
    }
    if protocol.neighbours:
        said["neighbours"] = protocol.neighbours
    if protocol.num_training:
        said["copy_images"] = protocol.num_training
    tree = configuration.config.evaluation.model_dump() | said
    try:
        return EvaluationConfig.model_validate(tree)
    except ValidationError as error:
        raise InputError(
            f"the protocol that {configuration.origin} {configuration.name} was evaluated under cannot be asked for "
            f"again ({reason_of(error.errors()[0]['msg'])}): evaluate it anew with `ganflow evaluate`"
        ) from None


def _with_choice(header: Header, recorded: Header) -> Header:
    """Steps are computed as they were: what the probe would measure now may come out another way."""
    return replace(header, choice={**recorded.choice, "rates": {}} if recorded.choice else {})
