"""What a release says of itself, and what is refused; damage to whole releases is in `test_release.py`."""

import numpy as np
import pytest

from gan.errors import ReleaseError
from tasks.generate.manifest import counts_by_class, require_files, selection_facts
from tasks.generate.partial import ShardRecord


def record(asked, rejected, attempts):
    return ShardRecord({}, asked, rejected, 0, np.array(attempts), None)


def test_counts_have_the_names_of_classes():
    assert counts_by_class([2, 0], ("a", "b")) == {"a": 2, "b": 0}
    assert counts_by_class([5], ()) == {"unlabelled": 5}


def test_what_was_rejected_is_added_up_by_reason_and_class():
    records = [
        record({0: 3, 1: 4}, {"copy": {1: 2}}, [0, 0, 1, 0, 1]),
        record({0: 2, 1: 3}, {"blurred": {0: 1}, "copy": {0: 1, 1: 1}}, [2, 0]),
    ]
    assert selection_facts(records, ("a", "b"), {"realism": 0.5}) == {
        "realism": 0.5,
        "asked": 12,
        "kept": 7,
        "yield": round(7 / 12, 6),
        "asked_by_class": {"a": 5, "b": 7},
        "rejected": {"blurred": {"a": 1}, "copy": {"a": 1, "b": 3}},
        "most_attempts": 3,
    }


def test_without_classes_there_is_one_name():
    facts = selection_facts([record({-1: 3}, {"copy": {-1: 1}}, [0, 1])], (), {})
    assert facts["rejected"] == {"copy": {"unlabelled": 1}}


def test_links_are_files_like_others(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "link").symlink_to("/etc")
    with pytest.raises(ReleaseError, match=r"train/link is not as manifest\.json says"):
        require_files(tmp_path, {})
