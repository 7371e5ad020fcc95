"""A step that talks to services: tried again after a failure that may be the weather, and failing in a sentence."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.logging.loggers import task_run_logger
from prefect.tasks import exponential_backoff

from gan.text.shown import reason_of
from tasks.runtime.failures import explained, is_transient
from tasks.runtime.settings import Settings

RETRIES = 3
FIRST_SECONDS = 5.0  # 5 + 10 + 20, give or take a third: a person at the terminal waits no minute
JITTER = 0.3

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def worth_retrying(step: Any, run: Any, state: Any) -> bool:
    """Retry what may be the weather, and say so; never what would come again, such as a full disk or a bug."""
    try:
        state.result()
    except Exception as error:
        if not is_transient(error):
            return False
        task_run_logger(run, step).warning(
            "the step %s could not go on (%s): it is tried again in a moment",
            step.name,
            reason_of(explained(error) or error),
        )
        return True
    return False


def step(**options: Any) -> Callable[[Callable[Parameters, Returned]], Task[Parameters, Returned]]:
    """Make a function a Prefect task that is retried with growing pauses; `options` are a task's.

    A full disk and a service that is away are raised as a `GanflowError`.
    """

    def decorate(function: Callable[Parameters, Returned]) -> Task[Parameters, Returned]:
        @wraps(function)
        def explaining(*arguments: Parameters.args, **named: Parameters.kwargs) -> Returned:
            try:
                return function(*arguments, **named)
            except Exception as error:
                told = explained(error, Settings().home)
                if told is None or told is error:
                    raise
                raise told from error

        return task(
            retries=RETRIES,
            retry_delay_seconds=exponential_backoff(FIRST_SECONDS),
            retry_jitter_factor=JITTER,
            retry_condition_fn=worth_retrying,
            **options,
        )(explaining)

    return decorate
