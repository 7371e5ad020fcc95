"""Events for Prefect: what automations and other flows listen to."""

from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.events import Event, Resource


def send_event(event: str, *, resource: str, name: str, payload: dict[str, Any], event_id: str) -> None:
    """Send an event, and return when the server has it: `emit_event` would only put it into a queue.

    Args:
        event: its name.
        resource: id of what it is about.
        name: what people call that.
        payload: facts, as a JSON tree.
        event_id: a UUID; Prefect takes one that comes twice for the same.
    """
    made = Event(
        id=UUID(event_id),
        event=event,
        resource=Resource({"prefect.resource.id": resource, "prefect.resource.name": name}),
        payload=payload,
    )
    with get_client(sync_client=True) as prefect:
        # a path of Prefect's HTTP interface that its client has no method for
        prefect.request("POST", "/events", json=[made.model_dump(mode="json")]).raise_for_status()
