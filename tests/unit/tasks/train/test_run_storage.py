"""A run's folder in the storage, here a local one."""

import json

import pytest

from gan.errors import CheckpointError, InputError
from gan.training.checkpoint import HASHES, HEADER, TENSORS, is_complete, save_checkpoint
from gan.training.header import HeaderError
from tasks.train.run_storage import RAY_LIST, WARM_START, RunStorage


@pytest.fixture
def folder(tmp_path, make_header):
    """A run with two checkpoints, one on its way, and Ray Train's own list."""
    run = tmp_path / "storage" / "run"
    for second in (1, 2, 3):
        checkpoint = run / f"checkpoint_2030-01-01_00-00-0{second}.000000"
        checkpoint.mkdir(parents=True)
        save_checkpoint(checkpoint, make_header(cur_nimg=second), {})
    (run / "checkpoint_2030-01-01_00-00-03.000000" / HASHES).unlink()
    (run / RAY_LIST).write_text("{}")
    return run


@pytest.fixture
def storage(folder):
    return RunStorage(str(folder.parent), "run")


def test_what_has_its_hash_list_is_a_checkpoint_and_the_newest_comes_first(storage):
    names = storage.checkpoints()
    assert names == ["checkpoint_2030-01-01_00-00-02.000000", "checkpoint_2030-01-01_00-00-01.000000"]
    assert [storage.header(name).cur_nimg for name in names] == [2, 1]


def test_a_run_that_is_not_there_has_none(storage, tmp_path):
    assert RunStorage(str(tmp_path / "storage"), "other").checkpoints() == []
    assert RunStorage(str(tmp_path / "absent"), "run").checkpoints() == []


def test_folders_come_and_go_whole(storage, folder, tmp_path):
    fetched = storage.fetch(storage.checkpoints()[0], tmp_path / "deep" / "local")
    assert fetched == tmp_path / "deep" / "local"
    assert is_complete(fetched)
    storage.keep(fetched, WARM_START)
    assert is_complete(folder / WARM_START)
    assert len(storage.checkpoints()) == 2, "a warm start is no checkpoint of the run"


def test_a_header_of_another_format_is_refused_by_name(storage, folder):
    name = storage.checkpoints()[0]
    (folder / name / HEADER).write_text(json.dumps({"format_version": 1}))
    with pytest.raises(CheckpointError, match=rf"the checkpoint {name} of run run has checkpoint format 1 but"):
        storage.header(name)


@pytest.mark.parametrize(("text", "dropped"), [("", True), ('{"checkpoint_results": [{"che', True), ("{}", False)])
def test_a_list_that_was_cut_short_is_dropped(storage, folder, text, dropped):
    (folder / RAY_LIST).write_text(text)
    assert storage.drop_broken_list() == dropped
    assert (folder / RAY_LIST).exists() == (not dropped)
    assert len(storage.checkpoints()) == 2


def test_what_a_full_disk_cut_short_is_removed_unless_ray_train_knows_it_or_nothing_else_is_there(storage, folder):
    first, second, third = (f"checkpoint_2030-01-01_00-00-0{number}.000000" for number in (1, 2, 3))
    tensors = folder / second / TENSORS
    tensors.write_bytes(tensors.read_bytes()[:5])  # its hash list came first
    assert [storage.is_whole(name) for name in (first, second, third)] == [True, False, False]
    (folder / RAY_LIST).write_text(json.dumps({"checkpoint_results": [{"checkpoint_dir_name": second}]}))
    assert storage.drop_cut() == [third]
    (folder / RAY_LIST).unlink()
    assert storage.drop_cut() == [second]
    assert storage.drop_cut() == []
    (folder / first / TENSORS).unlink()
    assert storage.drop_cut() == []
    assert (folder / first).exists()


def test_what_a_disk_does_not_give_out_now_is_no_reason_to_remove_it(storage, folder):
    first, second = (f"checkpoint_2030-01-01_00-00-0{number}.000000" for number in (1, 2))
    (folder / second / TENSORS).unlink()
    (folder / second / TENSORS).symlink_to("/proc/self/mem")  # the kernel answers «input/output error»
    with pytest.raises(OSError, match="error"):
        storage.is_whole(second)
    with pytest.raises(OSError, match="error"):
        storage.drop_cut()
    assert (folder / second).exists()
    assert storage.is_whole(first)


def test_no_list_is_no_broken_one(tmp_path):
    assert not RunStorage(str(tmp_path), "new").drop_broken_list()
    assert list(tmp_path.iterdir()) == []


def test_a_storage_of_an_unknown_kind_is_refused():
    with pytest.raises(
        InputError, match=r"the storage floppy://a cannot be used \(.*floppy.*\): correct GANFLOW_STORAGE"
    ):
        RunStorage("floppy://a", "run")


@pytest.mark.parametrize("storage", ["s3://KEYID:hunter2@bucket/runs", "s3://bucket/runs?secret_key=hunter2"])
def test_a_storage_with_a_credential_is_refused_without_showing_it(storage):
    with pytest.raises(InputError, match="s3://bucket/runs was given with a credential") as caught:
        RunStorage(storage, "run")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", [b"\xff", b"{", b"[" * 100_000, b"[]", b'{"format_version": 2, "config": 3}'])
def test_a_header_that_makes_no_sense_is_told_from_one_of_another_format(storage, folder, text):
    name = storage.checkpoints()[0]
    (folder / name / HEADER).write_bytes(text)
    with pytest.raises(HeaderError):
        storage.header(name)
    (folder / name / HEADER).write_text('{"format_version": 1}')
    with pytest.raises(CheckpointError, match="has checkpoint format 1") as caught:
        storage.header(name)
    assert not isinstance(caught.value, HeaderError)


def test_a_list_of_many_brackets_is_dropped(storage, folder):
    (folder / RAY_LIST).write_text("[" * 100_000)
    assert storage.drop_broken_list()
    assert not (folder / RAY_LIST).exists()
