"""Files of several arrays: read while they are open, and whatever else lies there is one sentence."""

import numpy as np
import pytest

from gan.data.files.array_file import array_file
from gan.errors import InputError


class Pickled:
    """Says so where it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("unpickled",)


def read(path, most_bytes=10_000, convert=float):
    with array_file(path, "numbers of mine", most_bytes, "write it again") as file:
        return convert(file["a"])


def test_arrays_are_taken_while_it_is_open(tmp_path):
    np.savez(tmp_path / "f.npz", a=np.asarray(1.5), b=np.arange(3))
    assert read(tmp_path / "f.npz") == 1.5


@pytest.mark.parametrize(
    "arrays", [{"b": np.ones(3)}, {"a": np.array(["word"])}, {"a": np.ones(3)}, {"a": np.array([Pickled()])}]
)
def test_what_was_not_meant_is_a_sentence(tmp_path, arrays):
    """No such array, one of another type or shape, and objects, which nothing unpickles."""
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(InputError, match=r"f\.npz holds no numbers of mine \(.*\): write it again"):
        read(tmp_path / "f.npz")


def test_it_is_not_unpacked_where_it_is_too_large(tmp_path):
    np.savez_compressed(tmp_path / "f.npz", a=np.zeros(10_000))
    assert (tmp_path / "f.npz").stat().st_size < 1000
    with pytest.raises(InputError, match="is larger than numbers of mine can be: write it again"):
        read(tmp_path / "f.npz")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut", b"\x93NUMPY"])
def test_what_is_no_such_file(tmp_path, content):
    if content is not None:
        (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(InputError, match="holds no numbers of mine"):
        read(tmp_path / "f.npz")
