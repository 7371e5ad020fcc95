"""The partial folder: what is whole stays, what is not goes, and one process has it."""

import json

import numpy as np
import pytest

from gan.errors import OutOfPatienceError
from tasks.generate.packed import Packed
from tasks.generate.partial import forget_partial, only_maker, partial_release
from tasks.runtime.settings import Settings

WANTED = {"num_images": 20, "first_seed": 5}


@pytest.fixture
def settings(tmp_path):
    return Settings(ganflow_home=tmp_path)


def shard(index, *files, seed=0, lines=b""):
    from hashlib import sha256

    found = [(path, data, sha256(data).hexdigest()) for path, data in files]
    prints = np.array([[seed]], np.uint64)
    return Packed(
        index, found, lines, [b"d"] * 10, np.full(10, index), {-1: 10, 2: 1}, {"copy": {2: 1}}, fingerprints=prints
    )


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def fill(settings, *shards, wanted=WANTED):
    with partial_release(settings, "r", wanted, 2) as partial:
        for each in shards:
            partial.keep(each, copies=3)
        return partial


def test_what_is_kept_is_found_again(settings):
    first = fill(settings, shard(0, ("a", b"A")), shard(1, ("b/c", b"C"), seed=2**63, lines=b"x\n"))
    second = fill(settings)
    assert first.other is second.other is None
    assert sorted(second.shards) == [0, 1]
    for index in (0, 1):
        before, after = first.shards[index], second.shards[index]
        assert (before.files, before.asked, before.rejected, before.copies) == (
            after.files, after.asked, after.rejected, after.copies,
        )  # fmt: skip
        assert np.array_equal(before.attempts, after.attempts)
        assert np.array_equal(before.fingerprints, after.fingerprints)
        assert after.fingerprints.dtype == np.uint64
    assert after.asked == {-1: 10, 2: 1}
    assert second.lines(1) == b"x\n"
    assert names(second.files) == ["a", "b/c"]


def test_many_files_are_found_again_too(settings):
    many = [(f"train/{number}", bytes([number])) for number in range(30)]
    fill(settings, shard(0, *many))
    assert list(fill(settings).shards[0].files) == [path for path, _ in many]


@pytest.mark.parametrize("damage", ["change", "cut", "remove", "record", "attempts", "prints"])
def test_a_shard_that_is_not_whole_does_not_count(settings, damage):
    partial = fill(settings, shard(0, ("a", b"AAA")), shard(1, ("b", b"B")))
    record = partial.folder / "shards" / "00000.json"
    place = partial.files / "a"
    if damage in ("change", "cut"):
        place.write_bytes({"change": b"AAB", "cut": b"A"}[damage])
    elif damage == "remove":
        place.unlink()
    elif damage == "record":
        record.write_text('{"files": 3')
    else:
        record.with_suffix(f".{damage}").write_bytes(b"")
    assert list(fill(settings).shards) == [1]
    assert names(partial.files) == ["b"]


def test_what_belongs_to_no_shard_goes(settings):
    partial = fill(settings, shard(0, ("a", b"A")))
    (partial.files / ".b.0123.partial").write_bytes(b"half")
    (partial.files / "README.md").write_text("of an end that was killed")
    fill(settings)
    assert names(partial.files) == ["a"]


def test_a_shard_that_is_drawn_again_takes_the_other_s_place(settings):
    fill(settings, shard(0, ("train/1", b"A"), ("train/2", b"B")))
    again = fill(settings, shard(0, ("train/1", b"A"), ("train/12", b"C")))
    assert list(again.shards[0].files) == ["train/1", "train/12"]
    assert names(fill(settings).files) == ["train/1", "train/12"]


def test_other_settings_begin_anew_and_say_so(settings):
    fill(settings, shard(0, ("a", b"A")))
    other = fill(settings, wanted=WANTED | {"num_images": 21})
    assert other.other == ("num_images", 20, 21)
    assert not other.shards
    assert not other.folder.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 10**5])
def test_settings_that_cannot_be_read_are_others(settings, text):
    partial = fill(settings, shard(0, ("a", b"A")))
    (partial.folder / "settings.json").write_text(text)
    again = fill(settings)
    assert again.other is None
    assert not again.shards


def test_where_nothing_is_done_nothing_is_left(settings):
    def failing():
        with partial_release(settings, "r", WANTED, 2):
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        failing()
    assert names(settings.state_dir) == []
    assert fill(settings).shards == {}


def test_one_process_builds_it(settings):
    with (
        only_maker(settings, "r"),
        pytest.raises(OutOfPatienceError, match="release r is being drawn by another process: wait until it is there"),
        only_maker(settings, "r"),
    ):
        raise AssertionError("it is held")
    with only_maker(settings, "r"):
        pass
    assert names(settings.state_dir) == []


def test_rounds_of_duplicates_are_kept(settings):
    partial = fill(settings, shard(0, ("a", b"A")))
    assert partial.redrawn == []
    partial.redrawn = [[(3, 0)], [(3, 1), (7, 0)]]
    assert fill(settings).redrawn == [[(3, 0)], [(3, 1), (7, 0)]]
    (partial.folder / "redrawn.json").write_text(json.dumps([[3]]))
    assert partial.redrawn == []


def test_what_a_kill_left_of_a_complete_release_is_forgotten(settings):
    partial = fill(settings, shard(0, ("a", b"A")))
    forget_partial(settings, "r")
    assert not partial.folder.exists()
    forget_partial(settings, "r")
    assert names(settings.state_dir) == []
