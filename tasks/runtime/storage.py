"""The storage that driver and nodes share, opened by its address; its errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyarrow.fs import FileSystem

from gan.errors import InputError, ServiceError
from gan.text.credentials import bare_address, has_credentials
from gan.text.shown import reason_of
from tasks.runtime.failures import explained


def open_storage(storage: str) -> tuple[FileSystem, str]:
    """Return the file system of a storage and the path of its folder there; nothing is asked yet.

    Args:
        storage: `Settings.storage`: a path or a URL.

    Raises:
        InputError: it is no path and no URL that can be used, or has a credential in it.
    """
    shown = bare_address(storage)
    if has_credentials(storage):
        raise InputError(
            f"the storage {shown} was given with a credential in it, which Ray's records would keep: leave it out "
            "of GANFLOW_STORAGE, and give it by AWS's variables, or those of its sort, on every node"
        )
    try:
        files, root = FileSystem.from_uri(storage)
    except (OSError, ValueError) as error:
        reason = reason_of(str(error).replace(storage, shown))
        raise InputError(f"the storage {shown} cannot be used ({reason}): correct GANFLOW_STORAGE") from None
    return files, root.rstrip("/")


@contextmanager
def storage_errors(storage: str) -> Iterator[None]:
    """Make a sentence of what the storage raises within the block, and nothing else may raise.

    Args:
        storage: its address.

    Raises:
        ServiceError: it is away.
        ResourcesError: it has no room.
        InputError: it does not do what it is asked to.
    """
    shown = bare_address(storage)
    try:
        yield
    except (OSError, ValueError) as error:
        told, reason = explained(error, shown), reason_of(str(error).replace(storage, shown))
        if isinstance(told, ServiceError):
            raise ServiceError(f"the storage {shown} does not answer ({reason}): try again when it does") from error
        if told is not None:
            raise told from error
        raise InputError(
            f"the storage {shown} does not work ({reason}): correct GANFLOW_STORAGE, or the rights and credentials "
            "by which it is used"
        ) from error
