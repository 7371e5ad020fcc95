"""A checkpoint is complete exactly when its hash list says so."""

import json
import os

import pytest
import torch

from gan.errors import CheckpointError
from gan.training.checkpoint import (
    HASHES,
    HEADER,
    TENSORS,
    host_copy,
    is_complete,
    load_header,
    load_tensors,
    newest_complete,
    restore_part,
    save_checkpoint,
    write_checkpoint_folder,
    write_whole_folder,
)

TREE = {"G": {"weight": torch.arange(6.0).view(2, 3)}, "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}}


@pytest.fixture
def folder(tmp_path, make_header):
    path = tmp_path / "checkpoint"
    path.mkdir()
    save_checkpoint(path, make_header(cur_nimg=7, class_names=("é",)), TREE)
    return path


@pytest.fixture
def write(make_header):
    return lambda folder: save_checkpoint(folder, make_header(), {})


def test_round_trip(folder, make_header):
    assert is_complete(folder)
    assert load_header(folder) == make_header(cur_nimg=7, class_names=("é",))
    found = load_tensors(folder, torch.device("cpu"))
    assert torch.equal(found["G"]["weight"], TREE["G"]["weight"])
    assert found["optimizer"]["state"][0]["step"].item() == 3.0


@pytest.mark.parametrize("name", [HEADER, TENSORS, HASHES])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "changed"])
def test_damage_is_seen(folder, name, damage):
    path = folder / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        changed = data.replace(b"e", b"f", 1) if name != TENSORS else data[:-1] + bytes([data[-1] ^ 1])
        path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "changed": changed}[damage])
    assert not is_complete(folder)
    with pytest.raises(CheckpointError, match=rf"{folder} is no complete checkpoint.*sha256\.json"):
        load_header(folder)


@pytest.mark.parametrize("hashes", ["null", "[]", "{}", '{"header.json": 1}', '["header.json", "tensors.pt"]'])
def test_a_hash_list_of_another_kind_is_no_checkpoint(folder, hashes):
    (folder / HASHES).write_text(hashes)
    assert not is_complete(folder)


def test_a_hash_list_that_leaves_a_file_out_is_no_checkpoint(folder):
    hashes = json.loads((folder / HASHES).read_text())
    del hashes[TENSORS]
    (folder / HASHES).write_text(json.dumps(hashes))
    assert not is_complete(folder)


def test_objects_are_not_unpickled(tmp_path, make_header):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    save_checkpoint(tmp_path, make_header(), {"trap": Trap()})
    with pytest.raises(CheckpointError, match=r"holds more than tensors .* and was not loaded") as caught:
        load_tensors(tmp_path, torch.device("cpu"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_the_last_two_are_kept(tmp_path, write):
    for count in (5, 10, 100_000, 2_000_000):
        made = write_checkpoint_folder(tmp_path / "run", count, write)
        assert made.name == f"checkpoint-{count:012d}"
        assert is_complete(made)
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["checkpoint-000000100000", "checkpoint-000002000000"]


def test_a_checkpoint_is_replaced_by_a_new_one_of_the_same_image(tmp_path, write, make_header):
    write_checkpoint_folder(tmp_path, 5, write)
    write_checkpoint_folder(tmp_path, 5, lambda folder: save_checkpoint(folder, make_header(dataset_md5="second"), {}))
    assert load_header(tmp_path / "checkpoint-000000000005").dataset_md5 == "second"


def test_a_write_that_fails_leaves_the_old_ones(tmp_path, write):
    write_checkpoint_folder(tmp_path, 5, write)

    def half(folder):
        (folder / TENSORS).write_bytes(b"half")
        raise OSError("disk full")

    for count in (5, 10):
        with pytest.raises(OSError, match="disk full"):
            write_checkpoint_folder(tmp_path, count, half)
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-000000000005"]
    assert is_complete(tmp_path / "checkpoint-000000000005")


def test_what_a_kill_left_is_swept_away(tmp_path, write):
    (tmp_path / ".partial-0123").mkdir()
    (tmp_path / ".partial-0123" / TENSORS).write_bytes(b"half")
    write_checkpoint_folder(tmp_path, 5, write)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000000000005"]


def test_the_newest_whole_one_is_found_and_others_are_warned_of(tmp_path, write):
    first, second = (write_checkpoint_folder(tmp_path, count, write) for count in (5, 10))
    warnings = []
    assert newest_complete([], warnings.append) is None
    assert newest_complete([second, first], warnings.append) == second
    assert warnings == []
    (second / HASHES).unlink()
    assert newest_complete([second, first], warnings.append) == first
    assert warnings == [
        "checkpoint-000000000010 is cut short or altered: training goes on from checkpoint-000000000005"
    ]
    (first / TENSORS).write_bytes(b"")
    assert newest_complete([second, first], warnings.append) is None
    both = "checkpoint-000000000010, checkpoint-000000000005"
    assert warnings[1:] == [f"{both} is cut short or altered: no other is left"]


@pytest.mark.parametrize("text", ["[" * 100_000, '["header.json", "tensors.pt"]', "3"])
def test_a_list_of_hashes_that_makes_no_sense_is_none(folder, text):
    (folder / HASHES).write_text(text)
    assert not is_complete(folder)


def test_tensors_that_are_no_parts_are_refused(folder):
    for tree in (torch.zeros(3), 5, [1]):
        torch.save(tree, folder / TENSORS)
        with pytest.raises(CheckpointError, match="is damaged, or holds more than tensors"):
            load_tensors(folder, torch.device("cpu"))


def test_a_part_that_is_missing_or_of_another_shape_is_refused(folder):
    part = torch.nn.Linear(2, 3)
    for tensors in ({}, {"G": 3}, {"G": {"weight": torch.zeros(5)}}, {"G": part.state_dict() | {"weight": None}}):
        with pytest.raises(CheckpointError, match="has no G as its header describes it"):
            restore_part(part, tensors, "G", folder)


def test_a_copy_on_the_host_is_that_of_its_moment():
    weight = torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last)
    tree = {"G": {"weight": weight}, "optimizer": {"param_groups": [{"betas": (0.0, 0.9), "params": [0]}]}}
    copied = host_copy(tree)
    weight.add_(1.0)
    assert torch.equal(copied["G"]["weight"], weight - 1.0)
    assert copied["G"]["weight"].stride() == weight.stride()
    assert copied["optimizer"] == tree["optimizer"]


def test_what_a_kill_left_beside_a_folder_goes(tmp_path, write):
    (tmp_path / ".partial-of-a-kill").mkdir()
    write_whole_folder(tmp_path / "one", write)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert is_complete(tmp_path / "one")
