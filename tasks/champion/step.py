"""The steps that change the champion in a flow: tried again, they change it once."""

import uuid

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict

from gan.text.shown import reason_of
from tasks.champion.changing import Wish, promote_whatever, roll_back
from tasks.releases.states import recalled_releases
from tasks.reports import artifacts
from tasks.runtime.events import send_event
from tasks.runtime.retry import step
from tasks.runtime.settings import Settings
from tasks.tracking.registry import load_program
from tasks.tracking.versions import find_model

ROLLED_BACK_EVENT = "model.rolled_back"
CHANGES_LISTED = 50


class RolledBack(BaseModel):
    """What going back has changed.

    Attributes:
        champion: the version in use now.
        withdrawn: the version that was; None: there was none.
        previous: the version that one would go back to next; None: there is none.
        recalled: the releases of the withdrawn version, which should not be used any more.
        reason: in words.
    """

    model_config = ConfigDict(frozen=True)

    champion: int
    withdrawn: int | None
    previous: int | None
    recalled: tuple[str, ...]
    reason: str


def new_intent() -> str:
    """Name what is asked for; made in the flow, so that each try of its step means the same."""
    return str(uuid.uuid4())


@step(cache_policy=NO_CACHE)
def put_in_use_whatever(version: int, reason: str, intent: str) -> int | None:
    """Make a version champion because a person says so; returns the one before. Buys a retry and a table.

    Raises:
        UnsafeModelError: the version's program cannot be loaded: nobody could draw from that champion.
    """
    settings = Settings()
    load_program(settings, find_model(settings, str(version)))
    history = promote_whatever(settings, version, _wish(reason, intent))
    artifacts.table("champions", history.rows[:CHANGES_LISTED], "which version was champion, and why")
    change = history.by_intent(intent)
    return change.before if change else history.champion


@step(cache_policy=NO_CACHE)
def go_back(to: int | None, reason: str, intent: str) -> RolledBack:
    """Go back to an earlier champion. Buys a retry, a table, and the event `model.rolled_back`."""
    settings = Settings()
    history = roll_back(settings, to, _wish(reason, intent))
    change = history.by_intent(intent)
    assert change is not None
    assert change.after is not None
    former = history.former
    result = RolledBack(
        champion=change.after,
        withdrawn=change.before,
        previous=former[-1] if former else None,
        recalled=tuple(recalled_releases(settings, change.before)) if change.before is not None else (),
        reason=reason,
    )
    _announce(settings, result, intent)
    artifacts.table("champions", history.rows[:CHANGES_LISTED], "which version was champion, and why")
    return result


def _announce(settings: Settings, result: RolledBack, intent: str) -> None:
    try:
        send_event(
            ROLLED_BACK_EVENT,
            resource=f"ganflow.model.{settings.model}",
            name=settings.model,
            payload=result.model_dump(mode="json"),
            event_id=intent,
        )
    except Exception as error:  # the champion is changed: what listens is told less, not lied to
        get_run_logger().warning("the event %s could not be sent to Prefect (%s)", ROLLED_BACK_EVENT, reason_of(error))


def _wish(reason: str, intent: str) -> Wish:
    return Wish(reason, intent, str(flow_run.id or ""))
