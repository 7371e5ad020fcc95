"""Whether a release may be used: a tag of its MLflow run, for the bytes of its folder are hashed."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from gan.errors import InputError, ReleaseError
from gan.text.shown import inert
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, client
from tasks.tracking.past import PastRun, past_run, past_runs

STATE = "state"
_REMOVED = "removed"
BEFORE_SETTING = "gan-generator"  # whose releases they are that were drawn before the model's name was a setting


class State(StrEnum):
    """What a release is: to be used, not to be used any more, or never to be used."""

    PUBLISHED = "published"
    RECALLED = "recalled"
    QUARANTINED = "quarantined"

    @property
    def because(self) -> str:
        """The tag that says why."""
        return f"{self}_because"


class ReleaseRecord(BaseModel):
    """A release as the registry knows it.

    Attributes:
        name: of its folder.
        state: whether it may be used.
        reason: why it may not; None where it may.
        removed: why it was removed from a home; None where it was not.
        version: of the model that it was drawn from.
        num_images: images in it; None where its run does not say.
        md5: DVC's name of its bytes; None of one that was never tracked.
        run_id: its newest run in the experiment `ganflow-releases`.
        drawn_at: when that run began, UTC, to the second.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    state: State
    reason: str | None
    removed: str | None = None
    version: int
    num_images: int | None
    md5: str | None
    run_id: str
    drawn_at: str

    @classmethod
    def of(cls, run: PastRun) -> "ReleaseRecord":
        """Read the tags of a run."""
        tags = run.tags
        state = State(tags[STATE]) if tags.get(STATE) in set(State) else State.PUBLISHED
        count, version = tags.get("num_images", ""), tags.get("model_version", "")
        return cls(
            name=tags.get("release", ""),
            state=state,
            reason=tags.get(state.because) if state is not State.PUBLISHED else None,
            removed=tags.get(f"{_REMOVED}_because") if f"{_REMOVED}_at" in tags else None,
            version=int(version) if version.isdecimal() else 0,
            num_images=int(count) if count.isdecimal() else None,
            md5=tags.get("release_md5"),
            run_id=run.run_id,
            drawn_at=datetime.fromtimestamp(run.started / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        )

    @property
    def row(self) -> dict[str, str]:
        """As a person reads it, by the heads of a table."""
        return {
            "release": self.name,
            "state": str(self.state) if self.removed is None else _REMOVED,
            "version": str(self.version),
            "images": "" if self.num_images is None else f"{self.num_images:,}",
            "drawn (UTC)": self.drawn_at,
            "why": "; ".join(self._reasons),
        }

    @property
    def _reasons(self) -> list[str]:
        """Why it may not be used, and why it is not there."""
        if self.removed is None:
            return [self.reason] if self.reason else []
        unfit = [] if self.state is State.PUBLISHED else [f"{self.state}: {self.reason}" if self.reason else self.state]
        return [*unfit, self.removed]


def releases(settings: Settings) -> list[ReleaseRecord]:
    """Return the releases of this model, the newest first; of a name that was drawn with other bytes, the newest."""
    found: dict[str, ReleaseRecord] = {}
    for record in all_releases(settings):
        found.setdefault(record.name, record)
    return list(found.values())


def all_releases(settings: Settings) -> list[ReleaseRecord]:
    """Return the releases of this model, the newest first, whatever became of them.

    One that was drawn again, or checked, has several runs and counts once; what was said of one of them holds for all.
    """
    found: dict[tuple[str, str | None], ReleaseRecord] = {}
    for run in _runs(settings):
        record = ReleaseRecord.of(run)
        newer = found.setdefault((record.name, record.md5), record)
        if newer.state is State.PUBLISHED and record.state is not State.PUBLISHED:
            found[record.name, record.md5] = newer.model_copy(update={"state": record.state, "reason": record.reason})
    return [record for record in found.values() if record.name]


def removed_names(settings: Settings) -> dict[str, str]:
    """Names of the releases that were removed, each with the reason."""
    return {record.name: record.removed for record in releases(settings) if record.removed is not None}


def published_release(settings: Settings, name: str) -> ReleaseRecord:
    """Return a release that may be used.

    Raises:
        ReleaseError: there is none of that name, or it is recalled or quarantined.
    """
    record = next((each for each in releases(settings) if each.name == name), None)
    if record is None:
        raise ReleaseError(f"there is no release {name} of {settings.model}: `ganflow releases` lists them")
    if record.state is not State.PUBLISHED:
        raise ReleaseError(f"release {name} is {record.state} ({record.reason}) and is not handed on")
    return record


def release_of_run(settings: Settings, run_id: str) -> ReleaseRecord:
    """Return the release that a run of `ganflow-releases` recorded."""
    run = past_run(settings, run_id)
    assert run is not None, "it was recorded by this command"
    return ReleaseRecord.of(run)


def release_like(
    settings: Settings, *, name: str, version: int, training_run: str, md5: str | None
) -> ReleaseRecord | None:
    """Return what the registry knows of a release that lies anywhere; None where it knows none like it.

    Args:
        settings: where the registry is, and the model's name.
        name: of the release.
        version: that drew it.
        training_run: of that version.
        md5: DVC's name of its bytes, None where they cannot be read. Of bytes that the registry does not know, for they
            were never tracked, or were changed, what was said last of the name holds.
    """
    found = [
        ReleaseRecord.of(run)
        for run in _runs(settings, version)
        if run.tags.get("release") == name and run.tags.get("training_run") == training_run
    ]
    same = [record for record in found if record.md5 is not None and record.md5 == md5] or found[:1]
    return next((record for record in same if record.state is not State.PUBLISHED), same[0] if same else None)


def recall(settings: Settings, name: str, why: str) -> ReleaseRecord:
    """Mark a release as one that should not be used any more; done again, the newer reason stands.

    Raises:
        InputError: there is no such release, or it was never published.
    """
    runs = [run for run in _runs(settings) if run.tags.get("release") == name]
    if not runs:
        there = ", ".join(each.name for each in releases(settings)[:5]) or "none"
        raise InputError(f"there is no release {name} of {settings.model}: `ganflow releases` lists them ({there})")
    if ReleaseRecord.of(runs[0]).state is State.QUARANTINED:
        raise InputError(f"release {name} is quarantined and was never published: there is nothing to recall")
    for run in runs:
        _mark_state(settings, run, State.RECALLED, why)
    return release_of_run(settings, runs[0].run_id)


def recall_releases(settings: Settings, version: int, why: str) -> None:
    """Mark each release that a version made as recalled; done again, it changes nothing."""
    for run in _runs(settings, version):
        if ReleaseRecord.of(run).state is State.PUBLISHED:
            _mark_state(settings, run, State.RECALLED, why)


def mark_removed(settings: Settings, record: ReleaseRecord, why: str) -> None:
    """Note of a release that it is removed; its state stays, for whoever has a copy."""
    for run in _runs(settings, record.version):
        if (run.tags.get("release"), run.tags.get("release_md5")) == (record.name, record.md5):
            _mark(settings, run, _REMOVED, why)


def recalled_releases(settings: Settings, version: int) -> list[str]:
    """The names of the recalled releases of a version."""
    found = (ReleaseRecord.of(run) for run in _runs(settings, version))
    return sorted({record.name for record in found if record.state is State.RECALLED})


def _mark_state(settings: Settings, run: PastRun, state: State, why: str) -> None:
    # The reason first: what is recalled says why, whenever this is killed.
    _mark(settings, run, str(state), why)
    client(settings).set_tag(run.run_id, STATE, str(state))


def _mark(settings: Settings, run: PastRun, word: str, why: str) -> None:
    registry = client(settings)
    registry.set_tag(run.run_id, f"{word}_because", inert(why))
    registry.set_tag(run.run_id, f"{word}_by", settings.user)
    registry.set_tag(run.run_id, f"{word}_at", time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()))


def _runs(settings: Settings, version: int | None = None) -> Iterator[PastRun]:
    """Runs that recorded releases of this model, the newest first; of all of its versions, or one."""
    wanted = {} if version is None else {"model_version": str(version)}
    for run in past_runs(settings, RELEASES, wanted, holds="model_version"):
        # what failed midway recorded nothing
        if run.status == "FINISHED" and run.tags.get("model", BEFORE_SETTING) == settings.model:
            yield run
