"""The flow `rollback`: back to an earlier champion."""

from prefect import flow, get_run_logger

from tasks.champion.changing import one_decision_at_a_time
from tasks.champion.history import require_reason
from tasks.champion.step import RolledBack, go_back, new_intent
from tasks.runtime.settings import Settings, require_writable_home


@flow(name="rollback")
def rollback(reason: str, to: int | None = None) -> RolledBack:
    """Make an earlier champion the champion again, and recall the releases of the one that is withdrawn.

    Args:
        reason: why, for the history.
        to: the version to go back to; the champion before without it.
    """
    settings = Settings()
    require_writable_home(settings)
    why, intent = require_reason(reason), new_intent()
    with one_decision_at_a_time(settings):
        result = go_back(to, why, intent)
    get_run_logger().info("version %d is champion again, in place of %s", result.champion, result.withdrawn)
    return result
