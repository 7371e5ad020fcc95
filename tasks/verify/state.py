"""Whether a release may be used, by what the registry and its own manifest say; both are only read."""

from pathlib import Path

from gan.errors import GanflowError
from tasks.releases.states import State, release_like
from tasks.runtime.settings import Settings
from tasks.tracking.client import SQLITE
from tasks.verify.record import Findings, Stated


def no_registry(settings: Settings) -> str | None:
    """Say that there is no registry, where none is: to ask for one would make it."""
    database = settings.tracking_uri.removeprefix(SQLITE)
    if database == settings.tracking_uri or Path(database).exists():
        return None
    return f"there is no registry at {settings.tracking_place}"


def release_state(
    settings: Settings, stated: Stated, md5: str | None, findings: Findings
) -> tuple[State | None, str | None]:
    """Return the state of a release with its reason; (None, None) where it is not known.

    Args:
        settings: where the registry is.
        stated: what the manifest says.
        md5: DVC's name of the bytes that are there.
        findings: where to note that nobody could be asked.
    """
    try:
        state, reason = _registered(settings, stated, md5)
    except GanflowError as error:
        state, reason = None, str(error)
    if state is None:
        # A release that failed its checks says so itself, wherever it went.
        if against := [check.said for check in stated.checks if not check.passed]:
            return State.QUARANTINED, "; ".join(against)
        findings.note(f"whether it was recalled is not known: {reason}")
        return None, None
    return state, reason


def _registered(settings: Settings, stated: Stated, md5: str | None) -> tuple[State | None, str | None]:
    if missing := no_registry(settings):
        return None, missing
    model = stated.model
    own = settings.model_copy(update={"ganflow_model": model.name})
    found = release_like(own, name=stated.name, version=model.version, training_run=model.run_id, md5=md5)
    if found is None:
        return None, (
            f"the registry at {settings.tracking_place} has no release {stated.name} of {model.name} version "
            f"{model.version}"
        )
    return found.state, found.reason
