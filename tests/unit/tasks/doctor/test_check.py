"""A check says what to do about what is wrong, and none may be wrong for all to be well."""

import pytest

from gan.errors import ServiceError
from tasks.doctor.check import HERE, Check, all_well, from_error


def test_what_is_wrong_comes_with_what_to_do():
    with pytest.raises(AssertionError):
        Check("disk", HERE, False, "full")


def test_a_warning_and_what_was_not_looked_at_fail_nothing():
    warning = Check("clock", HERE, True, "+9 s", "synchronise it")
    assert warning.warns
    assert all_well([warning, Check("Ray", HERE, None, "no cluster")])
    assert not all_well([warning, Check("disk", HERE, False, "full", "free some")])


def test_a_sentence_is_parted_before_what_to_do():
    check = from_error("MLflow", HERE, ServiceError("no server answers at http://a:5000 (Timeout): start it"))
    assert (check.value, check.remedy) == ("no server answers at http://a:5000 (Timeout)", "start it")
    assert check.ok is False
