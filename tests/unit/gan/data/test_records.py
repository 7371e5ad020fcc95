"""Cutting a source into parts."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gan.data.records import PART_BYTES, PART_IMAGES, Reject, cut, read_all, spread


@given(sizes=st.lists(st.sampled_from([0, 1, PART_BYTES // 3, PART_BYTES, 3 * PART_BYTES]), max_size=60))
def test_parts_hold_every_file_once_and_no_more_bytes_than_one_may(sizes):
    runs = list(cut(iter(sizes)))
    assert [index for run in runs for index in range(run.start, run.stop)] == list(range(len(sizes)))
    for run in runs:
        assert run.stop - run.start == 1 or sum(sizes[run]) <= PART_BYTES
    for before, after in pairwise(runs):
        assert sum(sizes[before]) + sizes[after.start] > PART_BYTES  # it would not have fitted


@given(count=st.integers(0, 200), most=st.integers(0, 70))
def test_a_few_are_from_all_over_and_each_comes_once(count, most):
    found = spread(range(count), most)
    assert len(found) == len(set(found)) == min(count, most)
    assert found == sorted(found)
    if len(found) > 1:
        gaps = [after - before for before, after in pairwise([*found, count])]
        assert max(gaps) - min(gaps) <= 1


def test_parts_hold_no_more_files_than_one_may():
    assert [run.stop - run.start for run in cut([1] * (2 * PART_IMAGES + 5))] == [PART_IMAGES, PART_IMAGES, 5]


def test_a_source_is_read_part_by_part(list_source, noise):
    records = [*map(noise, range(5)), Reject("x.png", "empty file")]
    assert list(read_all(list_source(records, part=2))) == records


def test_a_reject_reads_as_one_line():
    assert str(Reject("a.png", "broken image", "OSError")) == "a.png: broken image (OSError)"
    assert str(Reject("a.png", "empty file")) == "a.png: empty file"
