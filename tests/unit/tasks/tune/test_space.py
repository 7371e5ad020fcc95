"""What is searched over, and the trials that are drawn from it."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import PRESETS, debug, digits
from gan.errors import ConfigError
from tasks.tune.space import (
    OF_ALL_TRIALS,
    Choice,
    Range,
    changes_of,
    default_space,
    draw_trials,
    parse_dimension,
    search_space,
    written_value,
)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("optimizer.lr=1e-4:1e-2:log", Range("optimizer.lr", 1e-4, 1e-2, log=True)),
        ("augment.probability=0.1:0.9", Range("augment.probability", 0.1, 0.9)),
        ("network.latent_dim=32:128", Range("network.latent_dim", 32, 128, whole=True)),
        ("network.widths=0.5|1|2", Choice("network.widths", (0.5, 1, 2))),
        ("network.widths=[64,32]|[96, 48]", Choice("network.widths", ([64, 32], [96, 48]))),
        ("loss.kind=hinge|relativistic", Choice("loss.kind", ("hinge", "relativistic"))),
        ('augment.operations=[]|["flip"]', Choice("augment.operations", ([], ["flip"]))),
        ("optimizer.lr=0.001", Choice("optimizer.lr", (0.001,))),
        ("train.flip=true|false", Choice("train.flip", (True, False))),
    ],
)
def test_ranges_and_choices_are_read_and_written_again(written, found):
    assert parse_dimension(written, digits()) == found
    assert parse_dimension(str(found), digits()) == found


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("optimizer.lr", "--search wants key=low:high"),
        ("optimizer.lr=", "--search wants key=low:high"),
        ("optimizer.rate=1:2", "unknown key «optimizer.rate»"),
        ("data.resolution=16|32", "it shapes no training"),
        ("train.seed=0|1", "it is the same for all trials"),
        ("train.total_kimg=1:2", "it is the same for all trials"),
        ("optimizer.lr=1e-2:1e-4", "the first number must be the lower one"),
        ("optimizer.lr=1e-3:1e999", "both finite"),
        ("augment.probability=0:1:log", "begins above 0"),
        ("augment.probability=0.5:2", "augment.probability = 2.0: input should be less than or equal to 1"),
        ("loss.kind=hinge|hing", "loss.kind = 'hing'"),
        ("network.latent_dim=32:64:log:log", "network.latent_dim = '32:64:log:log'"),
        ("network.widths=[64]", "data.resolution is 16 px"),
    ],
)
def test_what_fits_no_configuration_is_refused(written, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse_dimension(written, digits())


def test_what_a_person_has_set_is_not_searched_and_what_he_searches_replaces_the_default():
    keys = set(default_space(digits()))
    assert keys == {"optimizer.lr", "loss.r1_gamma", "augment.operations", "network.widths"}
    space = search_space(digits(), ["optimizer.lr"], ["loss.r1_gamma=0.1|0.4", "train.flip=true|false"])
    assert {each.key for each in space} == (keys - {"optimizer.lr"}) | {"train.flip"}
    assert Choice("loss.r1_gamma", (0.1, 0.4)) in space


def test_some_keys_change_in_proportion_unless_they_are_searched():
    config = digits()
    assert changes_of(config, {"optimizer.lr": 2e-3}) == ("optimizer.lr=0.002", "optimizer.final_lr=0.0002")
    assert changes_of(config, {"loss.r1_gamma": 1.0}) == ("loss.r1_gamma=1.0", "loss.r2_gamma=1.0")
    assert changes_of(config, {"loss.r1_gamma": 1.0, "loss.r2_gamma": 0.5}) == (
        "loss.r1_gamma=1.0",
        "loss.r2_gamma=0.5",
    )
    assert changes_of(config, {"network.widths": 0.5}) == ("network.widths=[64, 32]",)
    assert changes_of(config, {"network.widths": 1}) == ()


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_each_preset_has_a_space_whose_trials_are_configurations(name):
    config = PRESETS[name]()
    space = search_space(config, (), ())
    trials = draw_trials(config, space, 12)
    assert trials[0] == ()
    assert len({apply_overrides(config, each).model_dump_json() for each in trials}) == 12


def test_more_trials_begin_with_those_of_fewer_and_a_small_space_has_few():
    config = digits()
    space = search_space(config, (), ())
    assert draw_trials(config, space, 9)[:4] == draw_trials(config, space, 4)
    other = apply_overrides(config, ["train.seed=1"])
    assert draw_trials(other, space, 4) != draw_trials(config, space, 4)
    few = (Choice("train.flip", (True, False)),)
    assert draw_trials(config, few, 8) == ((), ("train.flip=true",))


positive = st.floats(1e-12, 1e6)


@given(low=positive, high=positive, log=st.booleans(), seed=st.integers(0, 2**32))
def test_a_drawn_number_lies_in_its_range_and_is_read_as_it_is_written(low, high, log, seed):
    if low >= high:
        return
    drawn = Range("loss.gradient_penalty", low, high, log=log).draw(np.random.default_rng(seed))
    assert low <= drawn <= high
    changed = apply_overrides(debug(), [f"loss.gradient_penalty={written_value(drawn)}"])
    assert changed.loss.gradient_penalty == drawn


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_a_value_comes_back_as_it_was_written(value):
    text = written_value(value)
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    assert found == value


@settings(max_examples=200)
@given(
    st.text(max_size=60) | st.tuples(st.sampled_from(["optimizer.lr=", "loss.kind=", "train."]), st.text()).map("".join)
)
def test_any_text_is_a_dimension_or_a_sentence(written):
    try:
        found = parse_dimension(written, debug())
    except ConfigError:
        return
    for value in found.ends:
        apply_overrides(debug(), changes_of(debug(), {found.key: value}))


def test_lengths_and_seeds_are_not_searched():
    for leaf in OF_ALL_TRIALS:
        with pytest.raises(ConfigError, match="same for all trials"):
            parse_dimension(f"train.{leaf}=1|2", digits())
