"""From a preset's name and overrides to a configuration."""

import pytest

from flows.configure import resolve_config
from gan.errors import ConfigError
from gan.presets import preset


def test_a_preset_with_overrides():
    assert resolve_config("digits", []) == preset("digits")
    found = resolve_config("debug", ["train.total_kimg=1", "train.seed=7"])
    assert (found.preset, found.train.total_kimg, found.train.seed) == ("debug", 1.0, 7)


@pytest.mark.parametrize(
    ("name", "overrides", "sentence"),
    [("digit", [], "unknown preset «digit»"), ("digits", ["train.kimg=1"], r"unknown key «train\.kimg»")],
)
def test_mistakes(name, overrides, sentence):
    with pytest.raises(ConfigError, match=sentence):
        resolve_config(name, overrides)
