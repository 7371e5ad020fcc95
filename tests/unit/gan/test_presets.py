"""Every preset is a valid configuration of its own name."""

import pytest

from gan.config import parse_config
from gan.errors import ConfigError
from gan.networks.build import build_discriminator, build_generator
from gan.presets import PRESETS, preset


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets(name):
    config = preset(name)
    assert config.preset == name
    assert parse_config(config.model_dump(mode="json")) == config
    assert preset(name) == config
    assert len((PRESETS[name].__doc__ or "").splitlines()) == 1
    assert config.train.total_images > config.train.batch_size
    assert config.evaluation.num_images >= 4
    G = build_generator(config.network, channels=1, num_classes=10)
    D = build_discriminator(config.network, channels=1, num_classes=10)
    assert sum(parameter.numel() for network in (G, D) for parameter in network.parameters()) > 1000


def test_no_two_presets_train_alike():
    assert len({make().training_hash() for make in PRESETS.values()}) == len(PRESETS)


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match="unknown preset «digit»: choose one of debug, digits"):
        preset("digit")
