"""What a failure comes down to: no room on a disk, a service that is away, or something that ganflow cannot explain.

Libraries wrap such failures in errors of their own, so the whole chain of causes is looked at. Classes are known by
their names: importing the libraries only to name them would take seconds.
"""

import errno
import os
import re
from collections.abc import Iterator

from gan.errors import GanflowError, ResourcesError, ServiceError
from gan.text.shown import reason_of

_NO_ROOM = {
    errno.ENOSPC: ("the disk of {} is full", "free some space or inodes"),
    errno.EDQUOT: ("your quota on the disk of {} is used up", "free some space or ask for more"),
    errno.EROFS: ("the disk of {} is read-only", "make it writable or set GANFLOW_HOME to another folder"),
    errno.EFBIG: ("a file in {} would be larger than is allowed", "raise the limit (`ulimit -f`)"),
}
# What remains of these numbers in the message where a library keeps no more: Ray, MLflow's server, DVC, SQLite.
_WORDS = {os.strerror(number).lower(): number for number in _NO_ROOM} | {
    "database or disk is full": errno.ENOSPC,
    "attempt to write a readonly database": errno.EROFS,
}
_WRONG_PLACE = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)
# Besides ConnectionError and TimeoutError; a name that ends with a dot is that of a package.
_AWAY = (
    "requests.exceptions.ConnectionError",
    "requests.exceptions.Timeout",
    "requests.exceptions.ChunkedEncodingError",
    "urllib3.exceptions.",
    "http.client.",
    "httpx.",
    "httpcore.",
    "aiohttp.client_exceptions.",
    "botocore.exceptions.HTTPClientError",
    "botocore.exceptions.ConnectionError",
    "socket.gaierror",
    "ray.exceptions.RaySystemError",
    "ray.exceptions.ActorDiedError",
    "ray.exceptions.ActorUnavailableError",
    "ray.exceptions.WorkerCrashedError",
    "ray.exceptions.NodeDiedError",
    "ray.exceptions.ObjectLostError",
    "ray.exceptions.GetTimeoutError",
    "dvc.lock.LockError",
    "filelock._error.Timeout",
)
_TRY_AGAIN = ("database is locked", "database table is locked", "api request to", "connection refused", "timed out")
# An object store that pyarrow speaks with: its errors are bare ones, of which the message alone says more.
_STORE_AWAY = re.compile(
    "curlCode: |AWS Error "
    "(?:NETWORK_CONNECTION|SERVICE_UNAVAILABLE|SLOW_DOWN|THROTTLING|INTERNAL_FAILURE|REQUEST_TIMEOUT)"
)
_STATUS = {408, 425, 429, 500, 502, 503, 504}


def explained(
    error: BaseException, place: object = "this home", stands: str = "what was there before stands"
) -> GanflowError | None:
    """Return the sentence for a failure that the disk or a service caused, or None: it is a bug.

    Args:
        error: what was raised; a sentence already is returned as it is.
        place: the folder that was written to, where the error does not say.
        stands: what a full disk has left as it was.
    """
    while isinstance(inner := getattr(error, "cause", None), BaseException):
        error = inner  # Ray's errors of what ran elsewhere
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, GanflowError) and _is_told_by(error, cause):
            return cause
        if number := _no_room(cause):
            what, remedy = _NO_ROOM[number]
            where = cause.filename if isinstance(cause, OSError) and isinstance(cause.filename, str) else place
            return ResourcesError(f"{what.format(where)}: {remedy} and try again; {stands}")
    for cause in causes:
        if _is_away(cause):
            return ServiceError(
                f"{_service(causes)} does not answer as it should ({reason_of(cause)}): try again later"
            )
    return None


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed if it is tried again: what may be the weather, never what would come again."""
    told = explained(error)
    if told is not None:
        return told.transient
    return isinstance(error, OSError) and not isinstance(error, _WRONG_PLACE)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, or while handling it."""
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        yield now
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)


def _is_told_by(error: BaseException, cause: BaseException) -> bool:
    """Whether an error was raised from a cause, rather than by a mistake while that was handled."""
    now: BaseException | None = error
    for _ in range(100):
        if now is None or now is cause:
            return now is cause
        now = now.__cause__
    return False


def _no_room(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return error.errno
    text = str(error).lower()
    return next((number for words, number in _WORDS.items() if words in text), None)


def _is_away(error: BaseException) -> bool:
    status = getattr(getattr(error, "response", None), "status_code", getattr(error, "status", None))
    if isinstance(status, int):  # a refusal such as 404 or 403 is no weather
        return status in _STATUS
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and _STORE_AWAY.search(str(error)):
        return True
    if isinstance(error, ValueError):  # a malformed address, say
        return False
    names = [f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__]
    if any(name.startswith(_AWAY) for name in names):
        return True
    speaks = any(name.startswith(("mlflow.exceptions.", "sqlalchemy.exc.", "sqlite3.")) for name in names)
    return speaks and any(words in str(error).lower() for words in _TRY_AGAIN)


def _service(causes: list[BaseException]) -> str:
    for cause in causes:
        package = type(cause).__module__.partition(".")[0]
        if name := {"mlflow": "MLflow", "prefect": "Prefect", "ray": "Ray", "dvc": "DVC"}.get(package):
            return name
    return "a service"
