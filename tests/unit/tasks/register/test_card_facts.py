"""How long a training took, as its records of speed say."""

import pytest

from tasks.register.card_facts import minutes_of_steps


def test_minutes_are_those_of_all_records():
    assert minutes_of_steps([(600, 10.0), (1200, 5.0)]) == pytest.approx(3.0)
    assert minutes_of_steps([(1200, 5.0), (600, 10.0)]) == pytest.approx(3.0), "in whatever order MLflow has them"


def test_images_that_were_seen_twice_count_once():
    assert minutes_of_steps([(600, 10.0), (900, 1.0), (900, 5.0)]) == pytest.approx(1.0 + 5.0)


@pytest.mark.parametrize("speeds", [[], [(600, 0.0)], [(600, -1.0)], [(0, 5.0)], [(600, float("nan"))]])
def test_without_a_record_that_makes_sense_nothing_is_known(speeds):
    assert minutes_of_steps(speeds) is None
