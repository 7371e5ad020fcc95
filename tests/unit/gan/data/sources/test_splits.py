"""Which names are a split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.data.sources.splits import leading_word, split_names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train", "test"], {"train": "train", "test": "test"}),
        (["Training", "TESTING"], {"Training": "train", "TESTING": "test"}),
        (["train", "val"], {"train": "train", "val": "test"}),
        (["train", "validation"], {"train": "train", "validation": "test"}),
        (["train", "holdout"], {"train": "train", "holdout": "test"}),
        (["train", "val", "test"], {"train": "train", "val": "train", "test": "test"}),
        (["train", "dev", "valid", "test"], {"train": "train", "dev": "train", "valid": "train", "test": "test"}),
        (["train"], None),
        (["test"], None),
        (["val", "test"], None),
        (["train", "cat"], None),
        (["train", "test", "cat"], None),
        (["cat", "dog"], None),
        (["trains", "tests"], None),
        ([""], None),
        ([], None),
    ],
)
def test_names_are_a_split_where_all_of_them_are_and_both_sides_are_there(names, expected):
    assert split_names(names) == expected
    assert split_names(iter(reversed(names))) == expected


@given(st.lists(st.sampled_from(["train", "training", "test", "testing", "val", "dev", "holdout", "cat", "TRAIN"])))
def test_a_split_has_something_on_both_sides_and_each_name_once(names):
    found = split_names(names)
    if found is not None:
        assert found.keys() == set(names)
        assert set(found.values()) == {"train", "test"}
        assert "cat" not in found


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("train-00000-of-00002.parquet", "train"),
        ("test/0.parquet", "test"),
        ("Train.parquet", "Train"),
        ("0.parquet", ""),
    ],
)
def test_the_word_that_a_path_begins_with(path, word):
    assert leading_word(path) == word
