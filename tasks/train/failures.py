"""What becomes of a worker that fails: Ray Train tries again, unless the same would come again on every try."""

from typing import TYPE_CHECKING, Any

import ray
import ray.train

from gan.errors import GanflowError, ResourcesError, ServiceError
from gan.text.shown import last_line_of
from tasks.runtime.failures import explained

if TYPE_CHECKING:
    from ray.train.v2._internal.execution.context import TrainRunContext

MAX_WORKER_FAILURES = 3
MAX_WAITS = 30
"""How often Ray Train waits for nodes, a minute each time, before it gives a training up."""
GOES_ON = "its checkpoints stand, and training it again goes on from there"


class EndWhatWouldFailAgain(ray.train.UserCallback):
    """Ends all workers as soon as one fails by an error that explains itself; called in Ray Train's controller.

    Without it the others would be started again and again or, where the worker ended quietly, wait for it for ever.

    Args:
        storage: where checkpoints are kept, for the sentence on a full disk.
        validator: the scoring process, whose scores Ray Train would wait for; None: nothing is scored.
    """

    def __init__(self, storage: str, validator: Any) -> None:
        self.storage = storage
        self.validator = validator

    def after_exception(self, run_context: "TrainRunContext", worker_exceptions: dict[int, Exception]) -> None:
        """Raise the first explained error, which Ray Train takes for the end.

        Raises:
            GanflowError: what a worker explained.
        """
        for _, error in sorted(worker_exceptions.items()):
            told = explained(_raised(error), self.storage, GOES_ON)
            if told is not None and not told.transient:
                if self.validator is not None:
                    ray.kill(self.validator)
                raise told


def training_error(error: Exception, name: str) -> GanflowError:
    """Return the sentence for what Ray Train ended with.

    Args:
        error: a `TrainingFailedError`.
        name: of the training.
    """
    from ray.train.v2._internal.exceptions import WorkerGroupStartupTimeoutError

    cause = error
    while isinstance(inner := getattr(cause, "controller_failure", None), Exception):
        cause = inner
    if isinstance(cause, GanflowError):
        return cause
    if isinstance(cause, WorkerGroupStartupTimeoutError):
        return ResourcesError(
            f"training {name} found no room for its workers on the Ray cluster within {MAX_WAITS} minutes: "
            f"add nodes or start the lost ones again; {GOES_ON}"
        )
    if cause is not error and (told := explained(cause, "the storage", GOES_ON)) is not None:
        if not told.transient:
            return told
        return ServiceError(f"training {name} was cut off ({last_line_of(cause)}): {GOES_ON}")
    failures = getattr(error, "worker_failures", {})
    last = next((_raised(failures[rank]) for rank in sorted(failures)), error)
    return GanflowError(
        f"training {name} failed after {MAX_WORKER_FAILURES} restarts ({last_line_of(last)}): {GOES_ON}"
    )


def _raised(error: Exception) -> Exception:
    """Return what a worker raised, which Ray Train wraps together with its traceback."""
    inner = getattr(error, "_base_exc", None)
    return inner if isinstance(inner, Exception) else error
