"""A configuration with where it comes from: the same after JSON, and in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.configuration.parsing import parse_config
from gan.configuration.presets import PRESETS, preset
from gan.configuration.provenance import Configuration, DataConfiguration
from gan.errors import ConfigError

NUMBERS = st.floats(1e-6, 1e6, allow_nan=False)
CHANGES = {
    "train.seed": st.integers(0, 2**63 - 1),
    "train.total_kimg": NUMBERS,
    "train.compile": st.none() | st.booleans(),
    "optimizer.lr": NUMBERS,
    "optimizer.final_beta2": st.none() | st.floats(0, 0.999),
    "data.background": st.integers(0, 2**24 - 1).map(lambda number: f"#{number:06x}"),
    "data.channels": st.sampled_from(["auto", 1, 3]),
    "evaluation.num_images": st.integers(4, 10**9),
    "evaluation.batch_size": st.none() | st.integers(1, 10**6),
    "release.num_images": st.integers(1, 10**9),
}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def configurations(draw):
    name = draw(st.sampled_from(sorted(PRESETS)))
    keys = draw(st.lists(st.sampled_from(sorted(CHANGES)), unique=True))
    values = {key: draw(CHANGES[key]) for key in keys}
    tree = preset(name).model_dump(mode="json")
    for key, value in values.items():
        section, leaf = key.split(".")
        tree[section][leaf] = value
    tree["data"]["class_map"] = draw(st.dictionaries(TEXTS, st.none() | TEXTS, max_size=3))
    changes = tuple(f"{key}={value}" for key, value in values.items())
    return Configuration(origin="preset", name=name, changes=changes, config=parse_config(tree))


@given(configurations())
def test_it_is_the_same_after_json(configuration):
    assert Configuration.model_validate_json(configuration.model_dump_json()) == configuration
    assert parse_config(configuration.config.model_dump(mode="json")) == configuration.config
    data = configuration.data
    assert DataConfiguration.model_validate(data.model_dump(mode="json")) == data
    assert data.config == configuration.config.data


def test_changes_are_applied_and_kept():
    begun = Configuration(origin="run", name="abc", config=preset("debug"))
    changed = begun.changed("train.seed=7").changed("evaluation.num_images=200", "train.seed=8")
    assert (changed.config.train.seed, changed.config.evaluation.num_images) == (8, 200)
    assert changed.changes == ("train.seed=7", "evaluation.num_images=200", "train.seed=8")
    assert (begun.config, begun.changes) == (preset("debug"), ())
    with pytest.raises(ConfigError, match="unknown key"):
        begun.changed("train.kimg=1")


def test_it_says_where_it_comes_from():
    begun = Configuration(origin="run", name="abc", config=preset("debug"))
    assert str(begun) == "of run abc"
    assert str(begun.changed("evaluation.num_images=200", "release.num_images=5")) == (
        "of run abc, with evaluation.num_images=200, release.num_images=5"
    )


def test_what_the_hardware_makes_of_it_is_no_change():
    begun = Configuration(origin="version", name="3", config=preset("debug"))
    settled = begun.config.evaluation.model_copy(update={"precision": "fp32"})
    assert begun.measuring(settled).config.evaluation == settled
    assert str(begun.measuring(settled)) == "of version 3"


def test_what_decides_nothing_about_a_release_is_not_told_of_it():
    begun = Configuration(origin="version", name="3", config=preset("digits"))
    asked = begun.changed("release.keep_last=3", "release.num_images=7")
    told = asked.without_word_of("release.keep_last")
    assert str(told) == "of version 3, with release.num_images=7"
    assert told.config == asked.config
