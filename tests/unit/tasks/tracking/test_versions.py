"""A version's address, and what its tags may hold."""

from types import SimpleNamespace

import pytest

from gan.errors import InputError
from tasks.tracking.versions import RegisteredModel, _record


def test_a_versions_address():
    assert RegisteredModel(7, "run", "abc", (), "pets").uri == "models:/pets/7"


@pytest.mark.parametrize("tag", ["", "{}", '{"a": 1}', '"ab"', "[1]", "[null]", "3", "[" * 100_000, "9" * 5000])
def test_names_of_classes_that_are_no_list_of_names_are_refused(tag):
    found = SimpleNamespace(name="gan-generator", version="3", run_id="r", tags={"class_names": tag})
    with pytest.raises(InputError, match="the tag class_names of gan-generator version 3 is no list of names"):
        _record(found)
