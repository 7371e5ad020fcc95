"""Checkpoints of a run on a real S3 server: the hash list is the commit point."""

import pytest
import torch

from gan.training.checkpoint import HASHES, HEADER, TENSORS, is_complete, load_header, save_checkpoint
from gan.training.header import Header
from tasks.train import run_storage
from tasks.train.run_storage import RunStorage

pytestmark = pytest.mark.integration
FIRST, SECOND = (f"checkpoint_2030-01-01_00-00-0{second}.000000" for second in (1, 2))


@pytest.fixture
def storage(bucket):
    return RunStorage(bucket[1], "run")


@pytest.fixture
def write():
    header = Header({}, "hash", "md5", 1, 0, (), cur_nimg=7)
    return lambda folder: save_checkpoint(folder, header, {"G": {"weight": torch.arange(6.0)}})


def test_a_checkpoint_goes_there_and_comes_back(storage, write, tmp_path):
    storage.put_checkpoint(FIRST, write, tmp_path)
    assert not list(tmp_path.iterdir()), "what was on its way is gone"
    assert storage.checkpoints() == [FIRST]
    assert storage.is_whole(FIRST)
    fetched = storage.fetch(FIRST, tmp_path / "back")
    assert is_complete(fetched)
    assert load_header(fetched).cur_nimg == 7


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_one_that_is_cut_short_is_none(storage, write, tmp_path, monkeypatch, sent):
    storage.put_checkpoint(FIRST, write, tmp_path)
    copy, copied = run_storage.copy_files, []

    def cut(*arguments, **systems):
        if len(copied) == sent:
            raise OSError("AWS Error NETWORK_CONNECTION during PutObject operation: curlCode: 7")
        copied.append(arguments)
        copy(*arguments, **systems)

    with monkeypatch.context() as patched:
        patched.setattr(run_storage, "copy_files", cut)
        with pytest.raises(OSError, match="NETWORK_CONNECTION"):
            storage.put_checkpoint(SECOND, write, tmp_path)
    assert storage.checkpoints() == [FIRST]
    assert not storage.is_whole(SECOND)
    assert storage.drop_cut() == ([SECOND] if sent else [])
    storage.put_checkpoint(SECOND, write, tmp_path)
    assert storage.checkpoints() == [SECOND, FIRST]


@pytest.mark.parametrize("name", [TENSORS, HEADER, HASHES])
def test_one_that_was_altered_is_not_whole(storage, write, tmp_path, name):
    storage.put_checkpoint(FIRST, write, tmp_path)
    content = bytearray(storage.read(f"{FIRST}/{name}"))
    content[len(content) // 2] ^= 1
    storage.put(f"{FIRST}/{name}", bytes(content))
    assert not storage.is_whole(FIRST)
    storage.remove(f"{FIRST}/{name}")
    assert not storage.is_whole(FIRST)
