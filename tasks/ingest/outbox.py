"""The outbox: what is still to be sent of a new version of the dataset, its event to Prefect and its run to MLflow.

It is filled before the version is made, so that no kill, and no service that is away, can lose either.
"""

import uuid

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gan.data.files.atomic import write_whole
from tasks.dataset.repository import current_md5
from tasks.runtime.settings import Settings

_FILE = "ingest-owed.json"


class Outbox(BaseModel):
    """A note that counts as soon as the current version is another one than `before`.

    Attributes:
        before: md5 of the version that was there; None: there was none.
        announce: whether the event has not reached Prefect yet.
        record: whether MLflow has no run of the ingest yet.
        event: id of the event; Prefect takes one that comes twice for the same.
    """

    model_config = ConfigDict(frozen=True)

    before: str | None
    announce: bool
    record: bool = True
    event: str = Field(default_factory=lambda: str(uuid.uuid4()))


def put(settings: Settings, *, announce: bool) -> None:
    """Note, before a version is made, that it has to be recorded and perhaps announced.

    An event that could not be sent yet stays: it will name the newer version.
    """
    current, earlier = current_md5(settings), pending(settings)
    if earlier is not None and earlier.announce:
        _write(settings, earlier.model_copy(update={"record": True}))
    else:
        _write(settings, Outbox(before=current, announce=announce))


def pending(settings: Settings) -> Outbox | None:
    """What is still to be sent of the current version, or None."""
    note = _read(settings)
    if note is None or current_md5(settings) in (None, note.before):
        return None
    return note if note.announce or note.record else None


def mark_delivered(settings: Settings, *, announced: bool = False, recorded: bool = False) -> None:
    """Note that the event has reached Prefect, or the run MLflow."""
    note = _read(settings)
    if note is not None:
        note = note.model_copy(
            update={"announce": note.announce and not announced, "record": note.record and not recorded}
        )
        _write(settings, note)
    if pending(settings) is None:
        (settings.state_dir / _FILE).unlink(missing_ok=True)


def _read(settings: Settings) -> Outbox | None:
    try:
        return Outbox.model_validate_json((settings.state_dir / _FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def _write(settings: Settings, note: Outbox) -> None:
    write_whole(settings.state_dir / _FILE, note.model_dump_json())
