"""The flow `recall`: a release that should not be used any more."""

from prefect import flow, get_run_logger

from tasks.champion.history import require_reason
from tasks.releases.states import ReleaseRecord
from tasks.releases.step import recall_release
from tasks.runtime.settings import Settings, require_writable_home


@flow(name="recall")
def recall(name: str, reason: str) -> ReleaseRecord:
    """Mark a release as recalled; its folder stays as it is.

    Args:
        name: of the release.
        reason: why, for whoever has it.
    """
    require_writable_home(Settings())
    record = recall_release(name, require_reason(reason))
    get_run_logger().info("release %s is recalled", name)
    return record
