"""What is worth a second try."""

from typing import Any

from gan.errors import GanflowError


def worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    """Retry what may be the weather, never what ganflow can explain: that would fail again."""
    try:
        state.result()
    except GanflowError:
        return False
    except Exception:
        return True
    return False
