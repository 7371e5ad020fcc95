"""Which image goes into which shard: synthetic digests, no images."""

from itertools import chain, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.building.layout import lay_out
from gan.data.store.shards import dataset_schema, row_group, shard_name, write_shard

SCHEMA = dataset_schema(["a", "b"])


def digests_of(numbers):
    """Make 32 bytes that are unique to each number; some end in zeros, as a sha256 may."""
    parts = [((np.asarray(numbers, np.uint64) + np.uint64(at)) * np.uint64(0x9E3779B97F4A7C15)) for at in range(4)]
    parts[3] &= np.uint64(0xFFFF)  # little endian: six zeros at the end
    return np.stack(parts, axis=1).astype("<u8").view("S32").ravel()


def write(folder, groups, labels=None, schema=SCHEMA):
    """Write shards that hold these numbers."""
    folder.mkdir(parents=True)
    for index, numbers in enumerate(groups):
        digests = [digest.ljust(32, b"\0") for digest in digests_of(numbers).tolist()]
        pngs = [b""] * len(numbers)
        own = [(labels or {}).get(number, 0) for number in np.asarray(numbers).tolist()]
        group = row_group(pngs, digests, {"label": own}, schema)
        write_shard(folder / shard_name("train", index, len(groups)), [group], schema)
    return folder


def laid(previous, numbers, most, labels=None, schema=SCHEMA):
    """Lay out records that hold these numbers; return each shard's numbers, and the earlier file it equals."""
    numbers = np.asarray(numbers)
    records = np.arange(len(numbers)) * 3 + 1  # of the store; other splits have the rest
    own = np.array([(labels or {}).get(number, 0) for number in numbers.tolist()], np.int64)
    shards = lay_out(previous, "train", records, digests_of(numbers), own, schema=schema, most=most)
    by_record = dict(zip(records.tolist(), numbers.tolist(), strict=True))
    found = [[by_record[record] for record in shard.records.tolist()] for shard in shards]
    return found, [shard.same_as and shard.same_as.name for shard in shards]


def test_without_an_earlier_dataset_images_keep_the_order_of_the_source(tmp_path):
    for previous in (None, tmp_path, tmp_path / "nothing"):
        assert laid(previous, [5, 3, 9, 1, 7], 2) == ([[5, 3], [9, 1], [7]], [None] * 3)
    assert laid(None, [], 2) == ([], [])


@pytest.mark.parametrize("place", ["before", "behind"])
def test_a_hundred_more_of_fifty_thousand_change_the_last_shard_alone(tmp_path, place):
    old = np.arange(50_000)
    groups = [old[start : start + 12_000] for start in range(0, 50_000, 12_000)]
    previous = write(tmp_path / "old", groups)
    new = np.arange(60_000, 60_100)
    mixed = np.concatenate([new, old] if place == "before" else [old, new])
    found, same = laid(previous, mixed, 12_000)
    assert same == [*(shard_name("train", index, 5) for index in range(4)), None]
    assert [len(numbers) for numbers in found] == [12_000] * 4 + [2_100]
    assert found[4] == [*range(48_000, 50_000), *range(60_000, 60_100)]


def test_what_does_not_fit_behind_the_last_shard_begins_new_ones(tmp_path):
    previous = write(tmp_path / "old", [[1, 2, 3], [4, 5]])
    found, same = laid(previous, [9, 1, 2, 3, 4, 5, 8, 7, 6], 3)
    assert found == [[1, 2, 3], [4, 5, 9], [8, 7, 6]]
    assert same == [shard_name("train", 0, 2), None, None]


def test_nothing_new_changes_nothing_whatever_the_order_of_the_source(tmp_path):
    groups = [[4, 1, 3], [2, 9, 8], [7]]
    previous = write(tmp_path / "old", groups)
    names = [shard_name("train", index, 3) for index in range(3)]
    assert laid(previous, sorted(chain(*groups)), 3) == (groups, names)


def test_removing_images_touches_only_their_shards(tmp_path):
    groups = [list(range(start, start + 8)) for start in range(0, 32, 8)]
    previous = write(tmp_path / "old", groups)
    left = [number for number in range(32) if number not in {9, 14, 15}]
    found, same = laid(previous, [*left, 99], 8)
    assert found == [groups[0], [8, 10, 11, 12, 13], groups[2], groups[3], [99]]
    assert same == [shard_name("train", 0, 4), None, shard_name("train", 2, 4), shard_name("train", 3, 4), None]


@pytest.mark.parametrize(("left", "stays"), [(2, True), (1, False), (0, False)])
def test_a_shard_left_with_less_than_a_quarter_gives_its_images_to_the_end(tmp_path, left, stays):
    groups = [list(range(8)), list(range(8, 16)), list(range(16, 20))]
    previous = write(tmp_path / "old", groups)
    numbers = [*range(left), *range(8, 20)]
    found, same = laid(previous, numbers, 8)
    rest = [[8, 9, 10, 11, 12, 13, 14, 15], [16, 17, 18, 19]]
    names = [shard_name("train", 1, 3), shard_name("train", 2, 3)]
    if stays:
        assert (found, same) == ([[0, 1], *rest], [None, *names])
    else:
        # The last shard takes what is homeless.
        assert found == [rest[0], rest[1] + list(range(left))]
        assert same == [names[0], None if left else names[1]]


def test_an_image_with_another_label_rewrites_its_shard_in_place(tmp_path):
    groups = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    previous = write(tmp_path / "old", groups, labels={5: 1})
    found, same = laid(previous, range(1, 10), 3, labels={5: 1, 8: 1})
    assert found == groups
    assert same == [shard_name("train", 0, 3), shard_name("train", 1, 3), None]


def test_another_schema_rewrites_all_in_place(tmp_path):
    groups = [[3, 1], [2]]
    previous = write(tmp_path / "old", groups)
    assert laid(previous, [1, 2, 3], 2, schema=dataset_schema(["a", "b", "c"])) == (groups, [None, None])


def test_an_image_that_an_earlier_dataset_has_twice_has_one_place(tmp_path):
    previous = write(tmp_path / "old", [[1, 2, 1], [2, 3, 4], [1]])
    assert laid(previous, [1, 2, 3, 4, 5], 3) == ([[1, 2], [3, 4, 5]], [None, None])


@pytest.mark.parametrize("damage", ["missing", "cut", "column", "text"])
def test_a_broken_earlier_dataset_counts_as_none(tmp_path, damage):
    previous = write(tmp_path / "old", [[3, 1], [2]])
    path = previous / shard_name("train", 0, 2)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "column":
        pq.write_table(pa.table({"label": [0, 0]}), path)
    else:
        pq.write_table(pa.table({"label": ["x", None], "sha256": ["ab" * 32] * 2}), path)
    assert laid(previous, [1, 2, 3], 2) == ([[1, 2], [3]], [None, None])


NUMBERS = st.lists(st.integers(0, 30), unique=True, max_size=20)


@settings(max_examples=60, deadline=None)
@given(old=NUMBERS, cuts=st.sets(st.integers(1, 19), max_size=4), new=NUMBERS, most=st.integers(1, 9), data=st.data())
def test_every_image_has_one_place_and_files_are_taken_only_where_they_fit(
    tmp_path_factory, old, cuts, new, most, data
):
    bounds = [0, *sorted(cut for cut in cuts if cut < len(old)), len(old)]
    groups = [old[start:stop] for start, stop in pairwise(bounds) if stop > start]
    relabelled = dict.fromkeys(data.draw(st.sets(st.sampled_from(new))) if new else [], 1)
    previous = write(tmp_path_factory.mktemp("layout") / "old", groups)
    found, same = laid(previous, new, most, labels=relabelled)
    assert sorted(chain(*found)) == sorted(new)
    assert all(found)
    largest = max(map(len, groups), default=0)
    assert all(len(numbers) <= max(most, largest) for numbers in found)
    by_name = {shard_name("train", index, len(groups)): numbers for index, numbers in enumerate(groups)}
    for numbers, name in zip(found, same, strict=True):
        if name:
            assert by_name[name] == numbers
            assert not set(relabelled) & set(numbers)
    # Old shards that lost nothing, kept their labels and were full, are taken as they are.
    for name, numbers in by_name.items():
        if len(numbers) >= most and set(numbers) <= set(new) - set(relabelled):
            assert name in same
    assert laid(previous, new, most, labels=relabelled) == (found, same)
