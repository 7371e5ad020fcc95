"""Standard output, exit status and environment of the command line."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gan.errors import InputError, ServiceError
from gan.text.shown import inert, shown
from tasks.runtime.stopping import is_stopping

if TYPE_CHECKING:  # every verb's help imports this module: what takes long to import is imported where it is used
    from pydantic import BaseModel

    from tasks.runtime.settings import Settings


class Answer:
    """Where a verb's answer goes: standard output carries it alone, everything else goes to standard error."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        # MLflow, Ray and DVC print to standard output: from here on file descriptor 1 is standard error.
        os.dup2(2, 1)

    def give(self, result: "BaseModel | dict[str, Any]", lines: list[str], as_json: bool) -> None:
        """Print a result as one JSON object, or as lines; nothing after a signal, which has a sentence of its own."""
        if is_stopping():
            return
        if as_json:
            tree = result if isinstance(result, dict) else result.model_dump(mode="json")
            line = json.dumps(tree, ensure_ascii=False)
            # The same object either way; names of files and classes may hold what a terminal obeys.
            lines = [line if line.isprintable() else json.dumps(tree)]
        self._stream.write("\n".join(map(inert, lines)) + "\n")
        self._stream.flush()


def say(sentence: str) -> None:
    """Print a sentence to standard error, behind the name of the command."""
    from rich.console import Console

    Console(stderr=True, soft_wrap=True, highlight=False).print(f"ganflow: {shown(sentence)}", markup=False)


def prepare() -> "Settings":
    """Read the settings, prove that home can be written, and tell Prefect where its server is, before its import.

    Raises:
        InputError: a setting is malformed, home cannot be written, or the server that PREFECT_API_URL names wants
            another password.
        ServiceError: PREFECT_API_URL names a server that does not answer.
    """
    from flows.services.discovery import AUTH, answers, prefect_environment
    from flows.services.prefect_api import PrefectApi
    from tasks.runtime.settings import THREADS_WAIT, require_writable_home

    settings = read_settings()
    require_writable_home(settings)
    from tasks.runtime.scratch import remove_abandoned

    remove_abandoned(settings)
    api = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    if api.startswith("http://") and not answers(f"{api}/health"):
        raise ServiceError(f"no Prefect server answers at {api}: start it, or correct or unset PREFECT_API_URL")
    os.environ.update(THREADS_WAIT | prefect_environment(settings))
    if api.startswith("http://") and PrefectApi(api, os.environ.get(AUTH)).refuses():
        raise InputError(f"the Prefect server at {api} asks for a password: export it as {AUTH}, name:password")
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS"] = "flows.command.terminal_log.TerminalHandler"
    return settings


def read_settings() -> "Settings":
    """Read the settings.

    Raises:
        InputError: an environment variable is malformed.
    """
    from pydantic import ValidationError

    from tasks.runtime.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"the environment variable {str(first['loc'][0]).upper()} is wrong: {first['msg']}") from None


@contextlib.contextmanager
def errors_as_sentences() -> Iterator[None]:
    """End the process with one sentence and the error's exit status; a traceback is for bugs."""
    try:
        yield
    except Exception as error:
        from tasks.runtime.failures import explained

        told = explained(error)
        if told is None:
            raise
        say(str(told))
        sys.exit(told.exit_status)
