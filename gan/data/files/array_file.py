"""Files of NumPy's that hold several arrays, as anybody may have written them."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gan.errors import InputError

# cut, of other types, or with a header that asks for more than there is
_NO_SUCH_FILE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)


@contextmanager
def array_file(path: Path, what: str, most_bytes: int, remedy: str = "") -> Iterator[Mapping[str, npt.NDArray[Any]]]:
    """Open an .npz file for as long as its arrays are taken and converted; nothing in it is unpickled.

    Args:
        path: of the file.
        what: it should hold, in words, as `influences of images`.
        most_bytes: that its arrays may take unpacked.
        remedy: what to do where it does not.

    Raises:
        InputError: the file is larger, or is none; or what is done with its arrays finds them of another kind.
    """
    ending = f": {remedy}" if remedy else ""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(each.file_size for each in archive.infolist()) > most_bytes:
                raise InputError(f"{path} is larger than {what} can be{ending}")
        with np.load(path, allow_pickle=False) as file:
            yield file
    except _NO_SUCH_FILE as error:
        raise InputError(f"{path} holds no {what} ({error}){ending}") from None
