"""How long a training took, as its records of speed say, and through whose weights it saw images."""

import pytest

from gan.configuration.presets import preset
from tasks.register.card_facts import learnt_through, minutes_of_steps


def test_minutes_are_those_of_all_records():
    assert minutes_of_steps([(600, 10.0), (1200, 5.0)]) == pytest.approx(3.0)
    assert minutes_of_steps([(1200, 5.0), (600, 10.0)]) == pytest.approx(3.0), "in whatever order MLflow has them"


def test_images_that_were_seen_twice_count_once():
    assert minutes_of_steps([(600, 10.0), (900, 1.0), (900, 5.0)]) == pytest.approx(1.0 + 5.0)


@pytest.mark.parametrize("speeds", [[], [(600, 0.0)], [(600, -1.0)], [(0, 5.0)], [(600, float("nan"))]])
def test_without_a_record_that_makes_sense_nothing_is_known(speeds):
    assert minutes_of_steps(speeds) is None


@pytest.mark.parametrize(("name", "known"), [("few-shot-64", True), ("digits", False), ("r3gan-32", False)])
def test_whose_weights_taught_it_is_said(make_header, name, known):
    found = learnt_through(make_header(config=preset(name).model_dump(mode="json")))
    assert (found is not None and "EfficientNet-lite0 (Apache-2.0)" in found and "ImageNet" in found) == known


@pytest.mark.parametrize("config", [{}, {"network": None}, {"network": {}}])
def test_a_header_of_before_says_nothing(make_header, config):
    assert learnt_through(make_header(config=config)) is None
