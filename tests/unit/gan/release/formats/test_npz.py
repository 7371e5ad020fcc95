"""NumPy archives: loaded without pickle, and read by ourselves only as far as there are bytes."""

import io
import zipfile

import numpy as np
import pytest

from gan.errors import DatasetError
from gan.release.formats import npz
from gan.release.shard import Marks


def test_numpy_loads_the_arrays(shard_of, written):
    images, shard = shard_of("npz")
    (path,) = npz.shards(written("npz", shard))
    with np.load(path, allow_pickle=False) as found:
        assert sorted(found) == ["images", "labels", "metadata", "seeds"]
        assert np.array_equal(found["images"], images)
        assert found["images"].dtype == np.uint8
        assert np.array_equal(found["labels"], shard.labels)
        assert np.array_equal(found["seeds"], shard.seeds)
        assert str(found["metadata"]) == '{"about": "\\u00e9"}'
    with zipfile.ZipFile(path) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_without_marks_there_is_no_text(shard_of, written):
    _, shard = shard_of("npz", marks=Marks())
    (path,) = npz.shards(written("npz", shard))
    with np.load(path) as found:
        assert sorted(found) == ["images", "labels", "seeds"]


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 2, 2, 1), np.int8), np.zeros((2, 2, 2, 1), np.uint8), np.zeros((3, 4), np.uint8), np.array([{}] * 3)],
)
def test_other_arrays_are_explained(tmp_path, array):
    path = tmp_path / "train-00000-of-00001.npz"
    np.savez(path, images=array, labels=np.arange(3), seeds=np.arange(3))
    with pytest.raises(DatasetError, match="is broken"):
        list(npz.rows(path))


def test_an_array_that_claims_more_than_there_is_asks_for_no_memory(tmp_path):
    head = io.BytesIO()
    shape = (2**40, 2**10, 2**10, 1)
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    path = tmp_path / "train-00000-of-00001.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("images", "labels", "seeds"):
            archive.writestr(f"{name}.npy", head.getvalue())
    with pytest.raises(DatasetError, match="is broken"):
        list(npz.rows(path))
