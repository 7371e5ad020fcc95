"""Steps about runs of MLflow and what the storage holds of them."""

from collections.abc import Callable, Iterator, Mapping

from gan.training.checkpoint import HASHES
from tasks.prune.reach import Verdict, World
from tasks.prune.records import Item, Kind, Stays, What
from tasks.prune.steps import Step, Tell, need
from tasks.prune.stored import Storage, Stored
from tasks.runtime.settings import Settings
from tasks.tracking.client import EVALUATIONS, TRAINING
from tasks.tracking.removal import KnownRun, Removal
from tasks.train.lease import training_lease

_OURS = "an earlier `ganflow prune` has marked it"


class RunSteps:
    """Makes the steps.

    Args:
        settings: of the home.
        removal: MLflow.
        storage: of checkpoints.
        folders: what lies there, by run.
    """

    def __init__(self, settings: Settings, removal: Removal, storage: Storage, folders: Mapping[str, Stored]) -> None:
        self.settings = settings
        self.removal = removal
        self.storage = storage
        self.folders = folders

    def marked(self, what: tuple[What, ...]) -> Iterator[Step]:
        """Runs whose bytes a prune has not freed: it was killed, or had no more than a server's address."""
        groups: tuple[tuple[What, Kind, str], ...] = (
            ("runs", "training run", TRAINING),
            ("evaluations", "evaluation", EVALUATIONS),
        )
        for group, kind, experiment in groups:
            if group in what and self.removal.frees:
                for run in self.removal.runs(experiment, marked=True):
                    yield Step((self._item(group, kind, run, _OURS),), self._freeing(run, kind == "training run"))

    def training(self, run: KnownRun, verdict: Verdict) -> Step:
        """A training run with its checkpoints in the storage."""
        items: tuple[Item, ...] = (self._item("runs", "training run", run, verdict.why),)
        if run.run_id in self.folders:
            items = (self._folder("runs", run.run_id, "its run goes"), *items)

        def remove(tell: Tell) -> None:
            need(self.removal.why_needed(run))
            with training_lease(self.settings, run.run_id):
                need(self.removal.why_needed(run))  # nobody can take it up any more
                tell(f"the checkpoints of run {run.run_id}")
                self.storage.remove(run.run_id)
                tell(f"run {run.run_id}")
                self.removal.mark(run)
            tell(f"what is left of run {run.run_id} in the storage")
            self.storage.remove(run.run_id)  # the lease made it anew
            if self.removal.frees:
                self._free(run, tell)

        return Step(items, remove)

    def evaluation(self, run: KnownRun, verdict: Verdict) -> Step:
        """An evaluation's run."""

        def remove(tell: Tell) -> None:
            need(self.removal.why_named(run))
            tell(f"evaluation {run.run_id}")
            self.removal.mark(run)
            if self.removal.frees:
                self._free(run, tell)

        return Step((self._item("evaluations", "evaluation", run, verdict.why),), remove)

    def checkpoints(self, world: World, kept: Mapping[str, KnownRun]) -> Iterator[Step | Stays]:
        """Checkpoints in the storage of runs that stay."""
        registered = {each.run_id for each in world.versions}
        known = {run.run_id for run in world.trainings}
        for run_id in self.folders:
            if run_id not in known:
                yield self._stays(run_id, "MLflow has no such run")
            elif run_id in kept:
                yield self._of_kept(world, kept[run_id], run_id in registered)

    def _of_kept(self, world: World, run: KnownRun, registered: bool) -> Step | Stays:
        if run.ongoing or self.folders[run.run_id].held:
            return self._stays(run.run_id, "its run has not ended")
        if "dataset_md5" not in run.tags:
            return self._stays(run.run_id, "no training of ganflow's")
        if run.status == "FINISHED" or registered:
            if not self.removal.has_artifact(run, "checkpoint", HASHES):
                return self._stays(run.run_id, "MLflow has no checkpoint of its run")
            why = "its run has its checkpoint in MLflow"
        elif world.is_old(max(run.ended, self.folders[run.run_id].newest)):
            why = f"its run ended more than {world.limit} ago, and could still go on"
        else:
            return self._stays(run.run_id, f"its run may go on: it ended less than {world.limit} ago")

        def remove(tell: Tell) -> None:
            with training_lease(self.settings, run.run_id):
                need(self.removal.why_changed(run))
                tell(f"the checkpoints of run {run.run_id}")
                self.storage.remove(run.run_id)
            self.storage.remove(run.run_id)  # the lease made it anew

        return Step((self._folder("checkpoints", run.run_id, why),), remove)

    def _freeing(self, run: KnownRun, is_training: bool) -> Callable[[Tell], None]:
        def remove(tell: Tell) -> None:
            if is_training:
                tell(f"what is left of run {run.run_id} in the storage")
                self.storage.remove(run.run_id)
            self._free(run, tell)

        return remove

    def _free(self, run: KnownRun, tell: Tell) -> None:
        tell(f"the files of run {run.run_id}")
        self.removal.free(run)

    def _item(self, what: What, kind: Kind, run: KnownRun, why: str) -> Item:
        return Item(
            what=what,
            kind=kind,
            name=run.run_id,
            place=run.artifacts,
            bytes=self.removal.bytes_of(run),
            why=why,
            freed=self.removal.frees,
        )

    def _folder(self, what: What, run_id: str, why: str) -> Item:
        return Item(
            what=what,
            kind="checkpoints",
            name=run_id,
            place=self.storage.place(run_id),
            bytes=self.folders[run_id].bytes,
            why=why,
        )

    def _stays(self, run_id: str, why: str) -> Stays:
        return Stays(what="checkpoints", kind="checkpoints", name=run_id, why=why)
