"""Which runs are needed, and by what: a pure function of what is on record.

Nothing that a version or a release goes back to is ever judged to go: not its training, nor the training that this one
began with, nor the evaluations that decided.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tasks.lineage.sources import warm_start_of
from tasks.tracking.removal import KnownRun, KnownVersion
from tasks.tracking.runs import REPRODUCES

DAY = 86_400_000  # milliseconds
_PARENT = "mlflow.parentRunId"
_EVALUATION, _TRAINING = "evaluation_run", "training run"


@dataclass(frozen=True)
class World:
    """What is on record.

    Attributes:
        trainings: runs of `ganflow-training`.
        evaluations: runs of `ganflow-evaluations`.
        versions: of every registered model.
        releases: training runs by the name of the release that was drawn from their model.
        held: training runs whose lease a process has.
        now: milliseconds since 1970.
        older_than: days.
        measuring: whether this home evaluates something now: which training, nobody has written down yet.
    """

    trainings: tuple[KnownRun, ...]
    evaluations: tuple[KnownRun, ...]
    versions: tuple[KnownVersion, ...]
    releases: tuple[tuple[str, str], ...]
    held: frozenset[str]
    now: int
    older_than: float
    measuring: bool = False

    def is_old(self, ended: float) -> bool:
        """Whether a moment, in milliseconds, lies before the limit."""
        return self.now - ended > self.older_than * DAY

    @property
    def limit(self) -> str:
        """The limit in words."""
        return f"{self.older_than:g} days"


@dataclass(frozen=True)
class Verdict:
    """Whether a run may go, and why or why not."""

    goes: bool
    why: str


def judge_trainings(world: World) -> dict[str, Verdict]:
    """Judge every training run."""
    needed = dict(_needed(world))
    kept = {run.run_id: why for run in world.trainings if (why := _own_reason(world, run, needed))}
    by_id = {run.run_id: run for run in world.trainings}
    # What is needed goes back along warm starts, as long as they are known.
    waiting = [*kept]
    while waiting:
        run_id = waiting.pop()
        for earlier in references(by_id[run_id]):
            if earlier in by_id and earlier not in kept:
                kept[earlier] = f"run {run_id} began with it"
                waiting.append(earlier)
    return {
        run.run_id: Verdict(False, kept[run.run_id]) if run.run_id in kept else Verdict(True, _may_go(world, run))
        for run in world.trainings
    }


def judge_evaluations(world: World, kept: Mapping[str, KnownRun]) -> dict[str, Verdict]:
    """Judge every evaluation.

    Args:
        world: what is on record.
        kept: the training runs that stay, by id.
    """
    decided = {run.tags[_EVALUATION]: run.run_id for run in kept.values() if _EVALUATION in run.tags}
    in_use = {each.run_id: f"{', '.join(each.aliases)} of {each.model}" for each in world.versions if each.aliases}

    def reason(run: KnownRun) -> str | None:
        if "dataset_md5" not in run.tags:
            return "no evaluation of ganflow's"
        if run.ongoing:
            return "it has not ended"
        if run.run_id in decided:
            return f"run {decided[run.run_id]} was judged by it"
        if run.tags.get(_TRAINING) in in_use:
            return f"of the {in_use[run.tags[_TRAINING]]}"
        return None if world.is_old(run.ended) else f"younger than {world.limit}"

    return {
        run.run_id: Verdict(False, why) if (why := reason(run)) else Verdict(True, f"{_age(world, run)} old")
        for run in world.evaluations
    }


def references(run: KnownRun) -> Iterator[str]:
    """Ids of the runs that a training run is made from, or part of."""
    if began := warm_start_of(run.tags):
        yield began[1]
    if _PARENT in run.tags:
        yield run.tags[_PARENT]


def used_datasets(world: World) -> frozenset[str]:
    """The md5 of the datasets that a run reads, or has read within the limit."""
    runs = (*world.trainings, *world.evaluations)
    return frozenset(
        run.tags["dataset_md5"]
        for run in runs
        if "dataset_md5" in run.tags and (run.ongoing or not world.is_old(run.ended))
    )


def _needed(world: World) -> Iterator[tuple[str, str]]:
    """Yield training runs that something outside of them needs, with a reason each, the weightiest last."""
    of_model = {model_id: run.run_id for run in world.trainings for model_id in run.models}
    for run in world.evaluations:
        if _TRAINING in run.tags and (run.ongoing or not world.is_old(run.ended)):
            yield run.tags[_TRAINING], f"it was evaluated less than {world.limit} ago"
    for release, run_id in world.releases:
        yield run_id, f"release {release} was drawn from it"
    for each in world.versions:
        said = f"version {each.version} of {each.model}"
        yield each.run_id, said
        if each.model_id in of_model:
            yield of_model[each.model_id], said


def _own_reason(world: World, run: KnownRun, needed: Mapping[str, str]) -> str | None:
    numbers = {str(each.version) for each in world.versions}
    reasons: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: "dataset_md5" not in run.tags, "no training of ganflow's"),
        (lambda: run.ongoing or run.run_id in world.held, "it has not ended"),
        (lambda: run.run_id in needed, needed.get(run.run_id, "")),
        (
            lambda: "reproduced" in run.tags and run.tags.get(REPRODUCES) in numbers,
            f"the record of reproducing version {run.tags.get(REPRODUCES)}",
        ),
        (lambda: not world.is_old(run.ended), f"younger than {world.limit}"),
        (lambda: world.measuring, "this home evaluates something, which may be this run"),
    )
    return next((why for holds, why in reasons if holds()), None)


def _may_go(world: World, run: KnownRun) -> str:
    age = _age(world, run)
    if run.status == "FINISHED":
        return f"finished {age} ago, and no version was made of it"
    resumable = ", which `--resume auto` could still go on with" if "training_hash" in run.tags else ""
    return f"ended {age} ago as {run.status}{resumable}"


def _age(world: World, run: KnownRun) -> str:
    return f"{(world.now - run.ended) // DAY} days"
