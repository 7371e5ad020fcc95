"""Whether a release may be used: a tag of its MLflow run, for the bytes of its folder are hashed."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from gan.errors import InputError
from gan.text.shown import inert
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, client, experiment_id

if TYPE_CHECKING:
    from mlflow.entities import Run

STATE = "state"
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
    version: int
    num_images: int | None
    md5: str | None
    run_id: str
    drawn_at: str

    @classmethod
    def of(cls, run: "Run") -> "ReleaseRecord":
        """Read the tags of a run."""
        tags = run.data.tags
        state = State(tags[STATE]) if tags.get(STATE) in set(State) else State.PUBLISHED
        count, version = tags.get("num_images", ""), tags.get("model_version", "")
        return cls(
            name=tags.get("release", ""),
            state=state,
            reason=tags.get(state.because) if state is not State.PUBLISHED else None,
            version=int(version) if version.isdecimal() else 0,
            num_images=int(count) if count.isdecimal() else None,
            md5=tags.get("release_md5"),
            run_id=run.info.run_id,
            drawn_at=datetime.fromtimestamp(run.info.start_time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        )

    @property
    def row(self) -> dict[str, str]:
        """As a person reads it, by the heads of a table."""
        return {
            "release": self.name,
            "state": str(self.state),
            "version": str(self.version),
            "images": "" if self.num_images is None else f"{self.num_images:,}",
            "drawn (UTC)": self.drawn_at,
            "why": self.reason or "",
        }


def releases(settings: Settings) -> list[ReleaseRecord]:
    """Return the releases of this model, the newest first.

    One that was drawn again, or checked, has several runs and counts once; what was said of one of them holds for all.
    """
    found: dict[str, ReleaseRecord] = {}
    for run in _runs(settings):
        record = ReleaseRecord.of(run)
        newer = found.setdefault(record.name, record)
        if newer.state is State.PUBLISHED and record.state is not State.PUBLISHED and record.md5 == newer.md5:
            found[record.name] = newer.model_copy(update={"state": record.state, "reason": record.reason})
    return [record for name, record in found.items() if name]


def release_of_run(settings: Settings, run_id: str) -> ReleaseRecord:
    """Return the release that a run of `ganflow-releases` recorded."""
    return ReleaseRecord.of(client(settings).get_run(run_id))


def recall(settings: Settings, name: str, why: str) -> ReleaseRecord:
    """Mark a release as one that should not be used any more; done again, the newer reason stands.

    Raises:
        InputError: there is no such release, or it was never published.
    """
    runs = [run for run in _runs(settings) if run.data.tags.get("release") == name]
    if not runs:
        there = ", ".join(each.name for each in releases(settings)[:5]) or "none"
        raise InputError(f"there is no release {name} of {settings.model}: `ganflow releases` lists them ({there})")
    if ReleaseRecord.of(runs[0]).state is State.QUARANTINED:
        raise InputError(f"release {name} is quarantined and was never published: there is nothing to recall")
    for run in runs:
        _mark(settings, run, State.RECALLED, why)
    return release_of_run(settings, runs[0].info.run_id)


def recall_releases(settings: Settings, version: int, why: str) -> None:
    """Mark each release that a version made as recalled; done again, it changes nothing."""
    for run in _runs(settings, version):
        if ReleaseRecord.of(run).state is State.PUBLISHED:
            _mark(settings, run, State.RECALLED, why)


def recalled_releases(settings: Settings, version: int) -> list[str]:
    """The names of the recalled releases of a version."""
    found = (ReleaseRecord.of(run) for run in _runs(settings, version))
    return sorted({record.name for record in found if record.state is State.RECALLED})


def _mark(settings: Settings, run: "Run", state: State, why: str) -> None:
    registry, run_id = client(settings), run.info.run_id
    # The reason first: what is recalled says why, whenever this is killed.
    registry.set_tag(run_id, state.because, inert(why))
    registry.set_tag(run_id, f"{state}_by", settings.user)
    registry.set_tag(run_id, f"{state}_at", time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()))
    registry.set_tag(run_id, STATE, str(state))


def _runs(settings: Settings, version: int | None = None) -> Iterator["Run"]:
    """Runs that recorded releases of this model, the newest first; of all of its versions, or one."""
    registry = client(settings)
    experiment, token = experiment_id(registry, settings, RELEASES), None
    where = "tags.model_version != ''" if version is None else f"tags.model_version = '{version}'"
    where += " and attributes.status = 'FINISHED'"  # what failed midway recorded nothing
    newest = ["attributes.start_time DESC"]
    while True:
        found = registry.search_runs([experiment], where, order_by=newest, page_token=token)
        yield from (run for run in found if run.data.tags.get("model", BEFORE_SETTING) == settings.model)
        if not (token := found.token):
            return
