"""Earlier trainings of the same recipe, dataset and code: those decided about, and those that wait for a decision."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gan.configuration.config import Config
from tasks.runtime.failures import is_transient
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, RunLog, client, experiment_id
from tasks.tracking.runs import REPRODUCES, run_tags, seed_of
from tasks.train.code import CODE, RESUMED_CODE, code_tags

if TYPE_CHECKING:
    from mlflow.entities import Run

# Tags of a training: what became of it as a candidate, its version, how often registering it has failed, and that it
# was the best of its trials.
VERDICT, VERSION, FAILED, CHOSEN = "verdict", "model_version", "registrations_failed", "chosen"
KID = "best_kid"  # metric of a training
MOST_FAILURES = 3
"""Registrations of a training that may fail before it is left, so that one that cannot be measured blocks no other."""


@dataclass(frozen=True)
class Candidate:
    """A training that came to its end.

    Attributes:
        run_id: its run.
        seed: it was trained with.
        verdict: what was decided about it; None: nothing was yet.
        version: the version that it became; None: none.
        kid: of its checkpoint, by which that was picked; None: not measured, or otherwise than it would be now.
        chosen: whether it was found to be the best of its trials.
    """

    run_id: str
    seed: int
    verdict: str | None = None
    version: int | None = None
    kid: float | None = None
    chosen: bool = False

    @classmethod
    def of(cls, run: "Run", config: Config) -> "Candidate | None":
        """Read a run; None where it is no candidate: anyone may write a run.

        Args:
            run: the run.
            config: under whose section `evaluation` a KID has to be measured.
        """
        tags, params, seed = run.data.tags, run.data.params, seed_of(run)
        if seed is None or REPRODUCES in tags:
            return None
        number = tags.get(VERSION, "")
        version = int(number) if number.isdecimal() else None
        measured = config.evaluation.model_dump(mode="json")
        alike = all(params.get(f"evaluation.{key}") == str(value) for key, value in measured.items())
        kid = run.data.metrics.get(KID) if alike else None
        return cls(str(run.info.run_id), seed, tags.get(VERDICT), version, kid, CHOSEN in tags)


@dataclass(frozen=True)
class Earlier:
    """The finished trainings of one recipe, dataset and code, each the newest first.

    Attributes:
        decided: those with a verdict.
        waiting: those without, for which registering has not failed too often.
    """

    decided: tuple[Candidate, ...]
    waiting: tuple[Candidate, ...]


def earlier_trainings(settings: Settings, config: Config, recipe: str, dataset_md5: str) -> Earlier:
    """Look for finished trainings that differ from what would be trained now by their seed alone.

    Args:
        settings: where the runs are.
        config: the configuration.
        recipe: the tag `recipe` of such runs, in which a warm start is.
        dataset_md5: the dataset.

    Raises:
        ServiceError: no MLflow server answers.
    """
    mlflow_client, code = client(settings), code_tags()[CODE]
    found = mlflow_client.search_runs(
        [experiment_id(mlflow_client, settings, TRAINING)],
        f"tags.recipe = '{recipe}' and tags.dataset_md5 = '{dataset_md5}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
    )
    # other code may have begun a run than went on with it
    same = [run for run in found if {code} == {run.data.tags.get(CODE), run.data.tags.get(RESUMED_CODE, code)}]
    candidates = [(candidate, run) for run in same if (candidate := Candidate.of(run, config)) is not None]
    return Earlier(
        decided=tuple(candidate for candidate, _ in candidates if candidate.verdict is not None),
        waiting=tuple(
            candidate
            for candidate, run in candidates
            if candidate.verdict is None and _failures(run.data.tags) < MOST_FAILURES
        ),
    )


def note_failure(settings: Settings, run_id: str, error: Exception) -> None:
    """Count a registration that failed, unless that was the weather; what failed is what is told, not this."""
    if not is_transient(error):
        with suppress(Exception):
            failures = _failures(run_tags(settings, run_id)) + 1
            RunLog(client(settings), run_id).tags({FAILED: str(failures)})


def _failures(tags: dict[str, str]) -> int:
    number = tags.get(FAILED, "0")
    return int(number) if number.isdecimal() else MOST_FAILURES
