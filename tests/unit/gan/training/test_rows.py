"""Rows of images: the same bytes from memory and from a file, and one sentence where the file fails."""

import errno
import os

import numpy as np
import pytest
import torch

from gan.errors import ReadError
from gan.training.rows import RowsInMemory, RowsOnDisk, mapped_file

SHAPE = (9, 3, 2, 3)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture
def path(tmp_path, images):
    np.save(tmp_path / "images.npy", images)
    return tmp_path / "images.npy"


@pytest.fixture
def mapped(path):
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("rows", [[0], [8], [0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 5, 7, 8], [3, 3, 4, 4, 4, 5]])
def test_both_read_what_indexing_gives(images, mapped, rows):
    wanted = torch.from_numpy(images[rows])
    for source in (RowsInMemory(images), RowsOnDisk(*mapped_file(mapped), mapped.shape)):
        found = torch.empty((len(rows), *SHAPE[1:]), dtype=torch.uint8)
        source.read(np.array(rows), found)
        assert torch.equal(found, wanted)
        assert source.shape == SHAPE
        source.close()


def test_a_stretch_is_one_read_which_may_come_in_pieces(mapped, images, monkeypatch):
    source, real, asked = RowsOnDisk(*mapped_file(mapped), mapped.shape), os.preadv, []

    def preadv(file, buffers, place):
        asked.append(len(buffers[0]))
        return real(file, [buffers[0][:25]], place)

    monkeypatch.setattr(os, "preadv", preadv)
    found = torch.empty((4, *SHAPE[1:]), dtype=torch.uint8)
    source.read(np.array([1, 2, 3, 7]), found)
    assert torch.equal(found, torch.from_numpy(images[[1, 2, 3, 7]]))
    assert asked == [54, 29, 4, 18]


def test_a_part_of_a_map_is_found_in_its_file(mapped, images):
    for part in (mapped, mapped[2:], np.asarray(mapped)[3:7]):
        path, offset = mapped_file(part)
        assert np.array_equal(np.fromfile(path, np.uint8, part.size, offset=offset), np.asarray(part).reshape(-1))
    assert mapped_file(mapped[::2]) is None
    assert mapped_file(images) is None
    assert mapped_file(images[2:]) is None


def test_a_map_that_can_be_changed_or_has_no_name_is_no_file(path, tmp_path):
    assert mapped_file(np.load(path, mmap_mode="c")) is None
    assert mapped_file(np.load(path, mmap_mode="r+")) is None
    with (tmp_path / "nameless").open("wb+", buffering=0) as file:
        file.write(bytes(8))
        nameless = np.memmap(os.fdopen(os.dup(file.fileno()), "rb"), np.uint8, "r", shape=(8,))
    assert mapped_file(nameless) is None


def test_a_file_that_is_gone(mapped, path):
    path.unlink()
    with pytest.raises(ReadError, match=r"images\.npy cannot be read \(No such file or directory\): look at that disk"):
        RowsOnDisk(*mapped_file(mapped), mapped.shape)


def test_a_file_that_is_too_short_at_the_start_or_later(mapped, path):
    source = RowsOnDisk(*mapped_file(mapped), mapped.shape)
    os.truncate(path, path.stat().st_size - 5)
    into = torch.empty((1, *SHAPE[1:]), dtype=torch.uint8)
    source.read(np.array([7]), into)
    with pytest.raises(ReadError, match=r"images\.npy cannot be read \(it is shorter than it was\)"):
        source.read(np.array([8]), into)
    with pytest.raises(ReadError, match=r"images\.npy cannot be read \(it is shorter than it was\)"):
        RowsOnDisk(*mapped_file(mapped), mapped.shape)


def test_a_disk_that_fails(mapped, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    source = RowsOnDisk(*mapped_file(mapped), mapped.shape)
    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(ReadError, match=r"cannot be read \(Input/output error\)") as caught:
        source.read(np.array([0]), torch.empty((1, *SHAPE[1:]), dtype=torch.uint8))
    assert caught.value.transient  # who begins again finds the damage, and decodes anew
