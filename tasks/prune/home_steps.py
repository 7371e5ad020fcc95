"""Steps about what this home and the storage keep to spare work: all of it can be made anew."""

from collections.abc import Callable, Iterator
from functools import partial

from filelock import Timeout

from tasks.prune import on_disk
from tasks.prune.on_disk import OnDisk
from tasks.prune.reach import World
from tasks.prune.records import Item, Kind, Stays, What
from tasks.prune.steps import NeededError, Step, Tell, need
from tasks.prune.stored import Storage, Stored
from tasks.releases.removing import remove_quarantined
from tasks.releases.unpublished import is_drawn, remove_unfinished
from tasks.runtime.settings import Settings

_AT_WORK = "a command of this home is at work"
_TRAINS = "somebody trains"


class HomeSteps:
    """Makes the steps.

    Args:
        settings: of the home.
        world: what MLflow has on record.
        current: md5 of the current dataset, if there is one.
        used: the md5 of datasets that runs read, or have read within the limit.
    """

    def __init__(self, settings: Settings, world: World, current: str | None, used: frozenset[str]) -> None:
        self.settings = settings
        self.world = world
        self.current = current
        self.used = used
        self.busy = on_disk.busy(settings)

    def decoded(self) -> Iterator[Step | Stays]:
        """Decoded datasets."""
        for found in on_disk.decoded_datasets(self.settings):
            why = self._why_dataset_stays(found.path.name, found.newest) if found.whole else self._at_work
            if why:
                yield _stays("caches", "decoded dataset", found, why)
                continue
            said = f"not read for {self.world.limit}" if found.whole else "left over from what was cut short"
            why = f"{said}; decoded anew when it is wanted"
            act = partial(on_disk.remove_decoded, self.settings, found.path.name)
            yield self._step("caches", "decoded dataset", found, why, act)

    def features(self) -> Iterator[Step | Stays]:
        """Features of real images."""
        for found in on_disk.features(self.settings):
            if why := self._why_dataset_stays(found.path.name, found.newest):
                yield _stays("caches", "features", found, why)
            else:
                yield self._step("caches", "features", found, f"not read for {self.world.limit}; made anew when wanted")

    def published(self, storage: Storage, datasets: dict[str, Stored], trains: bool) -> Iterator[Step | Stays]:
        """Datasets in the storage, for the nodes of a cluster."""
        for md5, found in datasets.items():
            why = _TRAINS if trains else self._why_dataset_stays(md5, found.newest)
            if why:
                yield Stays(what="caches", kind="published dataset", name=md5, why=why)
                continue
            item = Item(
                what="caches",
                kind="published dataset",
                name=md5,
                place=storage.place(f"datasets/{md5}"),
                bytes=found.bytes,
                why=f"not read for {self.world.limit}; the next training of it puts it there again",
            )

            def remove(tell: Tell, md5: str = md5) -> None:
                need(_TRAINS if storage.anybody_trains() else None)
                tell(f"dataset {md5} in the storage")
                storage.remove_dataset(md5)

            yield Step((item,), remove)

    def pages(self, is_kept: Callable[[str], bool]) -> Iterator[Step | Stays]:
        """Pages of evaluations.

        Args:
            is_kept: whether the evaluation of this title is one of what stays.
        """
        for found in on_disk.pages(self.settings):
            if is_kept(found.path.name):
                yield _stays("evaluations", "page", found, "of a version or run that stays")
            elif not self.world.is_old(found.newest):
                yield _stays("evaluations", "page", found, self._young)
            else:
                yield self._step("evaluations", "page", found, f"older than {self.world.limit}")

    def releases(self) -> Iterator[Step | Stays]:
        """Releases that are not published: unfinished ones that nobody draws, and those in quarantine."""
        for found in on_disk.unfinished_releases(self.settings):
            drawn = "somebody draws it" if is_drawn(found.path) else None
            if why := drawn or self._why_young(found):
                yield _stays("releases", "unfinished release", found, why)
            else:
                said = f"nobody has drawn it for {self.world.limit}; it is begun anew when it is wanted"
                act = partial(remove_unfinished, found.path)
                yield self._step("releases", "unfinished release", found, said, act)
        for found in on_disk.quarantined_releases(self.settings):
            if why := self._why_young(found):
                yield _stays("releases", "quarantined release", found, why)
            else:
                said = f"it was refused more than {self.world.limit} ago"
                act = partial(remove_quarantined, self.settings, found.path, said)
                yield self._step("releases", "quarantined release", found, said, act)

    def logs(self, up_runs: bool) -> Iterator[Step | Stays]:
        """Logs of `ganflow up`."""
        for found in on_disk.logs(self.settings):
            if up_runs or not self.world.is_old(found.newest):
                yield _stays("logs", "log", found, "`ganflow up` runs" if up_runs else self._young)
            else:
                yield self._step("logs", "log", found, f"older than {self.world.limit}")

    def results(self, going: frozenset[str], there: frozenset[str]) -> Iterator[Step | Stays]:
        """What Prefect keeps of steps: with an evaluation goes what names it, else Prefect would give it again.

        Args:
            going: evaluations that go.
            there: all evaluations.
        """
        for found in on_disk.results(self.settings):
            if found.names & going:
                yield self._step("evaluations", "result", found, "it names an evaluation that goes")
            elif found.names & there:
                yield _stays("logs", "result", found, "it names an evaluation that stays")
            elif not self.world.is_old(found.newest):
                yield _stays("logs", "result", found, self._young)
            else:
                yield self._step("logs", "result", found, f"older than {self.world.limit}; the step is done anew")

    def _why_young(self, found: OnDisk) -> str | None:
        return None if self.world.is_old(found.newest) else self._young

    @property
    def _young(self) -> str:
        return f"younger than {self.world.limit}"

    @property
    def _at_work(self) -> str | None:
        return f"{_AT_WORK} ({', '.join(self.busy)})" if self.busy else None

    def _why_dataset_stays(self, md5: str, newest: int) -> str | None:
        if md5 == self.current:
            return "the current dataset"
        if md5 in self.used:
            return f"a run has read it within {self.world.limit}"
        if not self.world.is_old(newest):
            return self._young
        return self._at_work

    def _step(self, what: What, kind: Kind, found: OnDisk, why: str, act: Callable[[], None] | None = None) -> Step:
        item = Item(what=what, kind=kind, name=found.path.name, place=str(found.path), bytes=found.bytes, why=why)
        removes = act or partial(on_disk.remove, found.path)

        def remove(tell: Tell) -> None:
            tell(f"{kind} {found.path.name}")
            try:
                removes()
            except Timeout:
                raise NeededError("somebody draws or reads it") from None

        return Step((item,), remove)


def _stays(what: What, kind: Kind, found: OnDisk, why: str) -> Stays:
    return Stays(what=what, kind=kind, name=found.path.name, why=why)
