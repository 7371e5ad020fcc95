"""From a preset's name and overrides to a configuration."""

import json

import pytest

from flows.configure import (
    evaluation_overrides,
    quota_overrides,
    release_overrides,
    require_resolvable,
    resolve_config,
    resolve_data,
    resolve_own,
)
from gan.configuration.presets import PRESETS, preset
from gan.configuration.provenance import Configuration
from gan.errors import ConfigError, InputError

OWN = Configuration(origin="version", name="3", config=preset("cifar10"))


def test_a_preset_with_overrides():
    assert resolve_config("digits", []) == Configuration(origin="preset", name="digits", config=preset("digits"))
    found = resolve_config("debug", ["train.total_kimg=1", "train.seed=7"])
    assert (found.config.preset, found.config.train.total_kimg, found.config.train.seed) == ("debug", 1.0, 7)
    assert str(found) == "of preset debug, with train.total_kimg=1, train.seed=7"


def test_images_are_prepared_whatever_the_network_is_made_for():
    found = resolve_data("digits", ["data.resolution=64"])
    assert found.config.resolution == 64
    assert str(found) == "of preset digits, with data.resolution=64"


def test_without_a_preset_a_model_keeps_its_own():
    assert resolve_own(None, [], lambda: OWN) == OWN
    changed = resolve_own(None, ["evaluation.num_images=200"], lambda: OWN)
    assert changed.config.evaluation.num_images == 200
    assert changed.config.evaluation.resize == preset("cifar10").evaluation.resize
    assert str(changed) == "of version 3, with evaluation.num_images=200"


def test_a_preset_takes_the_place_of_what_cannot_even_be_read():
    def unreadable():
        raise ConfigError("never asked for")

    assert resolve_own("debug", ["train.seed=1"], unreadable) == resolve_config("debug", ["train.seed=1"])


@pytest.mark.parametrize(
    ("name", "overrides", "sentence"),
    [
        ("digit", [], "unknown preset «digit»"),
        ("digits", ["train.kimg=1"], r"unknown key «train\.kimg»"),
        ("digits", ["data.resolution=64"], "64 px"),
    ],
)
def test_mistakes(name, overrides, sentence):
    for resolve in (resolve_config, require_resolvable):
        with pytest.raises(ConfigError, match=sentence):
            resolve(name, overrides)


@pytest.mark.parametrize("override", ["train.kimg=1", "train", "evaluation.num_images=3", "network.patch=3"])
def test_what_no_model_can_take_is_refused_before_one_is_looked_for(override):
    with pytest.raises(ConfigError):
        require_resolvable(None, [override])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_what_some_model_can_take_is_left_to_it(name):
    """A network's keys agree with each other or not, depending on what the model is."""
    for key, value in preset(name).network.model_dump(mode="json").items():
        require_resolvable(None, [f"network.{key}={value if isinstance(value, str) else json.dumps(value)}"])


def test_options_of_a_protocol_are_overrides():
    assert evaluation_overrides(resize="clean", num_images=None, seed=0) == [
        "evaluation.resize=clean",
        "evaluation.seed=0",
    ]


@pytest.mark.parametrize(
    ("given", "overrides"),
    [
        ({}, []),
        ({"n": 5, "balance": "real"}, ["release.num_images=5", "release.balance=real"]),
        ({"n": 5, "balance": "equal"}, ["release.num_images=5", "release.balance=equal"]),
        ({"fill": 7}, ["release.balance=fill", "release.fill=7"]),
        ({"balance": "want.csv"}, []),
        ({"truncation": 0.7}, ["release.truncation=0.7"]),
        ({"format": "npz", "shard_images": 9}, ["release.format=npz", "release.shard_images=9"]),
    ],
)
def test_what_a_release_is_asked_for_becomes_overrides(given, overrides):
    assert release_overrides(**given) == overrides
    resolve_config("debug", release_overrides(**given))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"n": 5, "fill": 7}, "both --n 5 and --fill 7 say how many images: give one of them"),
        ({"n": 5, "balance": "want.csv"}, "both --n 5 and --balance want.csv say how many images"),
        ({"fill": 7, "balance": "real"}, "both --fill 7 and --balance real say how many of each class"),
    ],
)
def test_one_option_says_how_many(given, sentence):
    with pytest.raises(InputError, match=sentence):
        release_overrides(**given)


def test_a_file_of_quotas_becomes_overrides(tmp_path):
    path = tmp_path / "want.csv"
    path.write_text('class,count\né,3\n"a, b",0\n', "utf-8")
    names = ("a, b", "é", "c")
    overrides = quota_overrides(str(path), names)
    assert resolve_config("debug", overrides).config.release.quotas == {"é": 3, "a, b": 0}
    assert quota_overrides("equal", names) == quota_overrides("real", names) == quota_overrides(None, names) == []
    with pytest.raises(InputError, match=r"want\.csv, line 2 names «é», which the model does not know"):
        quota_overrides(str(path), ("a, b",))
