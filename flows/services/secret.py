"""The secret of a home: one line `ganflow:password`, which opens the Prefect and MLflow servers started there."""

import os
import re
import secrets
import stat
from pathlib import Path

from flows.services.private_files import create_private
from gan.errors import InputError
from tasks.runtime.failures import explained
from tasks.runtime.settings import Settings

NAME = "ganflow"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# MLflow asks for a password of 12 characters; printable ASCII fits into a header and a TOML string as it is.
_LINE = re.compile(NAME + r":[!#-\[\]-~]{12,200}")


def secret_file(settings: Settings) -> Path:
    """Where the secret lies."""
    return settings.state_dir / "secret"


def home_secret(settings: Settings) -> str:
    """Return the secret of this home, `ganflow:password`; the first call makes it.

    Raises:
        InputError: others can read the file or could have written it, or it holds something else.
        ResourcesError: there is no room for it.
    """
    path = secret_file(settings)
    if not path.is_symlink() and not path.exists():
        try:
            create_private(path, f"{NAME}:{secrets.token_urlsafe(32)}\n")
        except OSError as error:
            raise explained(error, settings.home) or error from None
    line = _read(path).rstrip("\n")
    if not _LINE.fullmatch(line):
        raise InputError(
            f"{path} does not hold one line {NAME}:password with 12 characters or more behind the colon: remove it, "
            "and a new one is made"
        )
    return line


def _read(path: Path) -> str:
    try:
        # What a link or a pipe leads to is not ours to judge by its mode.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): remove it, and a new one is made") from None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid():
            raise InputError(f"{path} is not a file of yours: remove it, and a new one is made")
        if state.st_mode & _OTHERS:
            raise InputError(
                f"others may have read {path} (its mode is {stat.S_IMODE(state.st_mode):04o}): stop `ganflow up`, "
                "remove the file, and a new secret is made; on a disk that keeps no modes set GANFLOW_HOME to another"
            )
        return os.read(descriptor, 1000).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
