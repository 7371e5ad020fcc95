"""What may go and what stays, as plain records: what it is, where, how large, and why."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

What = Literal["runs", "checkpoints", "evaluations", "releases", "caches", "logs"]
WHAT: tuple[What, ...] = get_args(What)
Kind = Literal[
    "training run", "checkpoints", "evaluation", "page", "decoded dataset", "features", "published dataset",
    "unfinished release", "quarantined release", "log", "result",
]  # fmt: skip


class Item(BaseModel):
    """A thing that may go.

    Attributes:
        what: the group that it is counted in.
        kind: what it is.
        name: by which it is found: an id, an md5, a folder's or a file's name.
        place: where it lies.
        bytes: of its files.
        why: it may go.
        freed: whether its bytes are freed; those that a server keeps are for its owner to free.
    """

    model_config = ConfigDict(frozen=True)

    what: What
    kind: Kind
    name: str
    place: str
    bytes: int
    why: str
    freed: bool = True


class Stays(BaseModel):
    """A thing that stays, and why."""

    model_config = ConfigDict(frozen=True)

    what: What
    kind: Kind
    name: str
    why: str


class Plan(BaseModel):
    """What would go, in the order in which it goes, and what stays."""

    model_config = ConfigDict(frozen=True)

    older_than: float
    items: tuple[Item, ...]
    stays: tuple[Stays, ...]


class Pruned(BaseModel):
    """What was done of a plan.

    Attributes:
        plan: what was to be done.
        removed: what is gone.
        skipped: what was to go and stays, for it was needed when its turn came.
    """

    model_config = ConfigDict(frozen=True)

    plan: Plan
    dry_run: bool
    removed: tuple[Item, ...] = ()
    skipped: tuple[Stays, ...] = ()


def freed_bytes(items: tuple[Item, ...]) -> int:
    """Bytes that are freed with some items."""
    return sum(each.bytes for each in items if each.freed)
