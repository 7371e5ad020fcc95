"""Trying again what the weather hindered, a little later each time."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from gan.text.shown import reason_of
from tasks.runtime.failures import is_transient

FIRST_SECONDS, TRIES = 2.0, 5  # 2 + 4 + 8 + 16: half a minute in all

Result = TypeVar("Result")


def patiently(
    act: Callable[[], Result],
    what: str,
    on_warning: Callable[[str], None],
    *,
    tries: int = TRIES,
    first: float = FIRST_SECONDS,
) -> Result:
    """Do something, and try again what may be the weather; the pauses double, and vary by a quarter.

    Args:
        act: done once or more.
        what: it is, for the warning, as in `storing the checkpoint`.
        on_warning: called with a sentence before each pause.
        tries: how often at most.
        first: seconds of the first pause.

    Raises:
        Exception: what `act` raised last, or what is no weather.
    """
    for number in range(1, tries):
        try:
            return act()
        except Exception as error:
            if not is_transient(error):
                raise
            on_warning(f"{what} did not work ({reason_of(error)}): it is tried again, {tries - number} more times")
            time.sleep(first * 2 ** (number - 1) * random.uniform(0.75, 1.25))
    return act()
