"""Pruning in two phases: a plan of what may go, then each item, looked at once more, in an order that a kill may cut.

What refers to something goes before it: results before the evaluations that they name, a training run before its
evaluation, and of a run its checkpoints, its record in MLflow, its files. What a kill leaves, the next prune finds.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator

from filelock import Timeout

from gan.errors import ServiceError
from gan.text.shown import reason_of
from tasks.dataset.repository import current_md5
from tasks.ingest.run import INGEST_LOCK
from tasks.lineage import on_disk as releases_on_disk
from tasks.prune import on_disk
from tasks.prune.home_steps import HomeSteps
from tasks.prune.mlflow_steps import RunSteps
from tasks.prune.reach import World, judge_evaluations, judge_trainings, used_datasets
from tasks.prune.records import WHAT, Item, Plan, Pruned, Stays, What
from tasks.prune.steps import NeededError, Step
from tasks.prune.stored import Storage
from tasks.runtime.locks import hold_lock
from tasks.runtime.settings import Settings
from tasks.tracking.client import EVALUATIONS, RELEASES, TRAINING, end_abandoned_runs
from tasks.tracking.past import past_runs
from tasks.tracking.removal import KnownRun, Removal
from tasks.train.lease import HeldError

WAIT_SECONDS = 10.0
_EVALUATING = "evaluation"  # the kind of temporary folder that a step has which evaluates
_PAGE = re.compile(r"(?:version-(?P<version>\d+)|run-(?P<run>[0-9a-f]{8}))-[0-9a-f]{8}")
Found = Step | Stays


class Pruning:
    """A prune of one home.

    Args:
        settings: of the home.
        older_than: days.
        what: groups of `WHAT`.
        up_runs: whether `ganflow up` runs in this home.
        now: seconds since 1970, for tests; else the time at each look.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        older_than: float,
        what: tuple[What, ...] = WHAT,
        up_runs: bool = False,
        now: float | None = None,
    ) -> None:
        self.settings = settings
        self.older_than = older_than
        self.what = what
        self.up_runs = up_runs
        self._now = now
        self.storage = Storage(settings.storage)
        self.removal = Removal(settings)

    def plan(self) -> Plan:
        """What may go and what stays; nothing is changed.

        Raises:
            ServiceError: MLflow or the storage is away.
        """
        return self._plan_of(list(self._look()))

    def carry_out(self, plan: Plan, on_step: Callable[[str], None] = lambda sentence: None) -> Pruned:
        """Remove what a plan says, as far as it still may go.

        Args:
            plan: as a person has seen it; nothing else goes.
            on_step: called with what is removed next.

        Raises:
            ServiceError: another command ingests or decides in this home, or MLflow or the storage is away.
        """
        with self._alone():
            end_abandoned_runs(self.settings)
            found = list(self._look())
            wanted = {_key(item) for item in plan.items}
            removed, skipped = list[Item](), list[Stays]()
            for step in found:
                if isinstance(step, Step) and all(_key(item) in wanted for item in step.items):
                    try:
                        step.remove(on_step)
                        removed += step.items
                    except (NeededError, HeldError) as error:
                        skipped += [_skipped(item, reason_of(error)) for item in step.items]
        done = {_key(item) for item in removed} | {_key(item) for item in skipped}
        why = {_key(stays): stays.why for stays in found if isinstance(stays, Stays)}
        for item in plan.items:
            if _key(item) not in done:
                skipped.append(_skipped(item, why.get(_key(item), "it is gone already, or needed by now")))
        return Pruned(plan=plan, dry_run=False, removed=tuple(removed), skipped=tuple(skipped))

    def _plan_of(self, found: list[Found]) -> Plan:
        items = tuple(item for step in found if isinstance(step, Step) for item in step.items)
        stays = tuple(each for each in found if isinstance(each, Stays))
        return Plan(older_than=self.older_than, items=items, stays=stays)

    def _look(self) -> Iterator[Found]:
        """Find everything, in the order in which it goes."""
        folders, datasets = self.storage.folders()
        world = self._world(frozenset(name for name, each in folders.items() if each.held))
        steps = RunSteps(self.settings, self.removal, self.storage, folders)
        verdicts = judge_trainings(world)
        going = [run for run in world.trainings if verdicts[run.run_id].goes and "runs" in self.what]
        kept = {run.run_id: run for run in world.trainings if run not in going}
        judged = judge_evaluations(world, kept)
        measured = [run for run in world.evaluations if judged[run.run_id].goes and "evaluations" in self.what]
        home = HomeSteps(self.settings, world, current_md5(self.settings), used_datasets(world))
        results = home.results(
            frozenset(run.run_id for run in measured), frozenset(run.run_id for run in world.evaluations)
        )
        yield from (each for each in results if self._wanted(each))
        yield from steps.marked(self.what)
        if "checkpoints" in self.what:
            yield from steps.checkpoints(world, kept)
        if "runs" in self.what:
            yield from (steps.training(run, verdicts[run.run_id]) for run in going)
            for run_id in kept:
                yield Stays(what="runs", kind="training run", name=run_id, why=verdicts[run_id].why)
        if "evaluations" in self.what:
            yield from (steps.evaluation(run, judged[run.run_id]) for run in measured)
            for run_id in (run.run_id for run in world.evaluations if run not in measured):
                yield Stays(what="evaluations", kind="evaluation", name=run_id, why=judged[run_id].why)
            yield from home.pages(lambda name: self._is_kept_page(world, kept, name))
        if "releases" in self.what:
            yield from home.releases()
        if "logs" in self.what:
            yield from home.logs(self.up_runs)
        if "caches" in self.what:
            trains = any(run.ongoing for run in world.trainings) or bool(world.held)
            yield from (*home.decoded(), *home.features(), *home.published(self.storage, datasets, trains))

    def _wanted(self, found: Found) -> bool:
        return (found.items[0].what if isinstance(found, Step) else found.what) in self.what

    def _world(self, held: frozenset[str]) -> World:
        # Runs first: a version or release that comes while this is read then refers to one that is judged.
        trainings, evaluations = (tuple(self.removal.runs(name)) for name in (TRAINING, EVALUATIONS))
        released = [
            (run.tags.get("release", run.run_id), run.tags["training_run"])
            for run in past_runs(self.settings, RELEASES)
            if "training_run" in run.tags
        ]
        for name in releases_on_disk.folders(self.settings):
            here = releases_on_disk.described(self.settings, name)
            if here and here.training_run:
                released.append((name, here.training_run))
        return World(
            trainings=trainings,
            evaluations=evaluations,
            versions=tuple(self.removal.versions()),
            releases=tuple(released),
            held=held,
            now=int((time.time() if self._now is None else self._now) * 1000),
            older_than=self.older_than,
            measuring=_EVALUATING in on_disk.busy(self.settings),
        )

    def _is_kept_page(self, world: World, kept: dict[str, KnownRun], name: str) -> bool:
        found = _PAGE.fullmatch(name)
        if found is None:
            return False
        if found["version"]:
            own = (each for each in world.versions if each.model == self.settings.model)
            return int(found["version"]) in {each.version for each in own}
        return any(run_id.startswith(found["run"]) for run_id in kept)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold what an ingest, a decision about the champion and the start of a training hold in this home."""
        state = self.settings.state_dir
        with contextlib.ExitStack() as stack:
            for name, again in ((INGEST_LOCK, False), (f"{self.settings.model}.lock", True), ("dvc.lock", True)):
                try:
                    stack.enter_context(hold_lock(state / name, timeout=WAIT_SECONDS, again=again))
                except Timeout:
                    raise ServiceError(
                        f"another command ingests, registers or begins to train in {self.settings.home} ({name}): "
                        "prune when it has ended"
                    ) from None
            yield


def _key(each: Item | Stays) -> tuple[str, str]:
    return each.kind, each.name


def _skipped(item: Item, why: str) -> Stays:
    return Stays(what=item.what, kind=item.kind, name=item.name, why=why)
