"""Runs of a schedule that are due at once, after a worker was away or a deployment came again: one is enough."""

from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.runtime import flow_run

SKIPPED = "Skipped"
"""The name of the state in which a run ends that another one makes needless."""
_TAKES_ITS_PLACE = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.COMPLETED]


def later_run_due() -> str | None:
    """Return the name of a later run of the same schedule that is due by now too, or came before this one did.

    None where there is none, or where no schedule started this run. Of two that are due at the same time it is the one
    whose id is greater, so that exactly one of all has none.
    """
    if not flow_run.id:
        return None
    with get_client(sync_client=True) as prefect:
        own = prefect.read_flow_run(UUID(str(flow_run.id)))
        if not own.auto_scheduled or own.deployment_id is None:
            return None
        others = prefect.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[own.deployment_id])),
            flow_run_filter=FlowRunFilter(
                expected_start_time=FlowRunFilterExpectedStartTime(
                    after_=own.expected_start_time, before_=datetime.now(UTC)
                ),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_TAKES_ITS_PLACE)),
            ),
        )
    later = [each for each in others if _place(each) > _place(own) and _same(each, own)]
    return min(later, key=_place).name if later else None


def _place(run: FlowRun) -> tuple[datetime, str]:
    assert run.expected_start_time is not None
    return run.expected_start_time, str(run.id)


def _same(run: FlowRun, own: FlowRun) -> bool:
    # a schedule may have parameters of its own
    return run.auto_scheduled and run.parameters == own.parameters
