"""The history of the champion: changes in one order, and what follows from them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from gan.errors import InputError

FOUND: Final = "found"
PROMOTED: Final = "promoted"
ROLLED_BACK: Final = "rolled back"
BY_HAND: Final = "moved by hand"
Kind = Literal["found", "promoted", "rolled back", "moved by hand"]


def require_reason(reason: str | None) -> str:
    """Return the reason for a change that a person makes.

    Raises:
        InputError: there is none.
    """
    if reason is None or not reason.strip():
        raise InputError("the champion is changed for a reason alone: give --reason, for the history")
    return reason.strip()


class Change(BaseModel):
    """Another version came into use.

    Attributes:
        number: its place in the order that the registry gives; numbers of changes that came to nothing are left out.
        follows: number of the change that was the last when this one was decided; 0: there was none.
        kind: what it was. `found`: the alias was there before the history; `moved by hand`: past ganflow.
        before: the version that was in use; None: none was.
        after: the version that is since then; None: none is.
        who: noted it.
        why: in words.
        intent: names what was asked for; however often that is tried, it changes the champion once.
        process: which process makes it, as `ProcessName` writes it.
        flow_run: the Prefect flow run that made it, or nothing.
        at: when the registry took it, in milliseconds since 1970.
        settled: whether the aliases were moved accordingly.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    follows: int
    kind: Kind
    before: int | None
    after: int | None
    who: str
    why: str
    intent: str
    process: str = ""
    flow_run: str = ""
    at: int
    settled: bool = False

    @model_validator(mode="after")
    def _changes_something(self) -> "Change":
        if self.before == self.after or self.number <= self.follows:
            raise ValueError("it changes nothing, or follows a later change")
        return self

    @property
    def when(self) -> str:
        """The same as a person reads it, in UTC."""
        return datetime.fromtimestamp(self.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")

    @property
    def row(self) -> dict[str, str]:
        """What a table shows of it."""
        return {
            "when (UTC)": self.when,
            "change": self.kind,
            "from": str(self.before or "-"),
            "to": str(self.after or "-"),
            "who": self.who,
            "why": self.why,
        }


class History(BaseModel):
    """The changes that took effect, the oldest first.

    Of two changes that were decided upon one champion, the one that the registry took first has effect: this is how
    machines that share no more than a tracking server come to one champion.
    """

    model_config = ConfigDict(frozen=True)

    changes: tuple[Change, ...] = ()

    @classmethod
    def of(cls, written: Iterable[Change]) -> "History":
        """Leave out what came to nothing: what follows another change than the last, and an intent's second try."""
        effective: list[Change] = []
        intents: set[str] = set()
        for change in sorted(written, key=lambda change: change.number):
            last, in_use = (effective[-1].number, effective[-1].after) if effective else (0, None)
            if (change.follows, change.before) == (last, in_use) and change.intent not in intents:
                effective.append(change)
                intents.add(change.intent)
        return cls(changes=tuple(effective))

    @property
    def last(self) -> Change | None:
        """The newest change."""
        return self.changes[-1] if self.changes else None

    @property
    def head(self) -> int:
        """Its number, which the next change has to follow; 0 before the first."""
        return self.changes[-1].number if self.changes else 0

    @property
    def champion(self) -> int | None:
        """The version in use."""
        return self.changes[-1].after if self.changes else None

    @property
    def rows(self) -> list[dict[str, str]]:
        """What a table shows of it, the newest change first."""
        return [change.row for change in reversed(self.changes)]

    @property
    def former(self) -> tuple[int, ...]:
        """Earlier champions that one may go back to, the latest last.

        Going back to one takes away those that came after it: what was withdrawn is never gone back to.
        """
        standing: list[int] = []
        for change in self.changes:
            if change.kind == ROLLED_BACK and change.after in standing:
                del standing[standing.index(change.after) + 1 :]
            elif change.after is not None:
                standing = [*(version for version in standing if version != change.after), change.after]
        return tuple(version for version in standing if version != self.champion)

    @property
    def withdrawn(self) -> frozenset[int]:
        """The versions that were gone back from, and have not come into use since."""
        found: set[int] = set()
        for change in self.changes:
            if change.kind == ROLLED_BACK and change.before is not None:
                found.add(change.before)
            if change.after is not None:
                found.discard(change.after)
        return frozenset(found)

    def by_intent(self, intent: str) -> Change | None:
        """The change that an intent has made."""
        return next((change for change in self.changes if change.intent == intent), None)
