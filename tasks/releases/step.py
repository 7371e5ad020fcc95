"""The step that recalls a release in a flow."""

import uuid

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE

from gan.text.shown import reason_of
from tasks.releases.states import ReleaseRecord, recall, releases
from tasks.reports import artifacts
from tasks.runtime.events import send_event
from tasks.runtime.retry import step
from tasks.runtime.settings import Settings

RECALLED_EVENT = "release.recalled"
LISTED = 50


@step(cache_policy=NO_CACHE)
def recall_release(name: str, reason: str) -> ReleaseRecord:
    """Recall a release. Buys a retry, a table, and the event `release.recalled`."""
    settings = Settings()
    record = recall(settings, name, reason)
    announce(RECALLED_EVENT, record)
    artifacts.table("releases", [each.row for each in releases(settings)[:LISTED]], "releases, the newest first")
    return record


def announce(event: str, record: ReleaseRecord) -> None:
    """Tell Prefect what became of a release; what listens is told less where that fails, never lied to.

    Args:
        event: its name; sent once for each state of a run.
        record: the release.
    """
    try:
        send_event(
            event,
            resource=f"ganflow.release.{record.name}",
            name=record.name,
            payload=record.model_dump(mode="json"),
            event_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"ganflow:{event}:{record.run_id}:{record.reason or ''}")),
        )
    except Exception as error:
        get_run_logger().warning("the event %s could not be sent to Prefect (%s)", event, reason_of(error))
