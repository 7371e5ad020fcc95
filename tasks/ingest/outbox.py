"""What a new version of the dataset still owes: the event that announces it, and its run in MLflow.

It is noted before the version is made, so that no kill, and no service that is away, can lose either.
"""

import uuid

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gan.data.files.atomic import write_whole
from tasks.dataset.repository import current_md5
from tasks.runtime.settings import Settings

_FILE = "ingest-owed.json"


class Owed(BaseModel):
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


def owe(settings: Settings, *, announce: bool) -> None:
    """Note, before a version is made, that it has to be recorded and perhaps announced.

    An event that could not be sent yet stays owed: it will name the newer version.
    """
    current, earlier = current_md5(settings), owed(settings)
    if earlier is not None and earlier.announce:
        _write(settings, earlier.model_copy(update={"record": True}))
    else:
        _write(settings, Owed(before=current, announce=announce))


def owed(settings: Settings) -> Owed | None:
    """What the current version owes, or None."""
    note = _read(settings)
    if note is None or current_md5(settings) in (None, note.before):
        return None
    return note if note.announce or note.record else None


def paid(settings: Settings, *, announced: bool = False, recorded: bool = False) -> None:
    """Note that the event has reached Prefect, or the run MLflow."""
    note = _read(settings)
    if note is not None:
        note = note.model_copy(
            update={"announce": note.announce and not announced, "record": note.record and not recorded}
        )
        _write(settings, note)
    if owed(settings) is None:
        (settings.state_dir / _FILE).unlink(missing_ok=True)


def _read(settings: Settings) -> Owed | None:
    try:
        return Owed.model_validate_json((settings.state_dir / _FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def _write(settings: Settings, note: Owed) -> None:
    write_whole(settings.state_dir / _FILE, note.model_dump_json())
