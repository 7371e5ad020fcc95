"""One line of what `ganflow doctor` finds."""

from dataclasses import dataclass

from gan.errors import GanflowError

HERE = "here"
"""The node of a check of the machine that the command runs on."""


@dataclass(frozen=True)
class Check:
    """Something that was looked at.

    Attributes:
        name: what.
        node: where; `HERE`, a node's address, or `cluster`.
        ok: whether a training could do with it; None: not looked at, and the value says why.
        value: what was found.
        remedy: what to do; beside an `ok` it makes a warning, else empty.
    """

    name: str
    node: str
    ok: bool | None
    value: str
    remedy: str = ""

    def __post_init__(self) -> None:
        assert self.remedy or self.ok is not False, "what is wrong comes with what to do"

    @property
    def warns(self) -> bool:
        """Whether a training runs with it, though not as it should."""
        return bool(self.ok and self.remedy)


def from_error(name: str, node: str, error: GanflowError) -> Check:
    """Return the check of what ended with a sentence, which says behind its last colon what to do."""
    value, _, remedy = str(error).rpartition(": ")
    return Check(name, node, False, value or str(error), remedy)


def all_well(checks: list[Check]) -> bool:
    """Whether nothing was found that would fail a training."""
    return all(check.ok is not False for check in checks)
