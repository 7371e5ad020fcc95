"""A source that can be read in two ways: it is refused, with both and with what chooses."""

from collections.abc import Sequence

from gan.errors import DatasetError
from gan.text.shown import shown


def question(where: str, one: str, other: str, how: str) -> DatasetError:
    """Return the refusal of a source whose names fit two readings; a wrong guess would train a wrong model."""
    return DatasetError(f"{where} can be read in two ways, as {one} or as {other}: {how}")


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return some names for a sentence, the first few of many."""
    some = ", ".join(shown(name) for name in names[:most])
    return f"{some} and {len(names) - most} more" if len(names) > most else some
