"""Every preset is a valid configuration of its own name."""

import math

import pytest
import torch

from gan.configuration.parsing import parse_config
from gan.configuration.presets import PRESETS, preset
from gan.configuration.schedules import has_r1, penalised, step_settings
from gan.errors import ConfigError
from gan.networks.build import build_discriminator, build_generator

RESOLUTIONS = {
    "debug": 16,
    "digits": 16,
    "fashion-mnist": 32,
    "small-data": 32,
    "few-shot-64": 64,
    "few-shot-256": 256,
    "cifar10": 32,
    "r3gan-32": 32,
    "r3gan-64": 64,
    "r3gan-256": 256,
    "dcgan-28": 28,
    "dcgan-32": 32,
    "dcgan-64": 64,
    "wgan-gp-32": 32,
}


def test_these_presets_there_are():
    assert {name: preset(name).data.resolution for name in PRESETS} == RESOLUTIONS


def networks(config):
    """Both networks without memory behind them: shapes alone count here."""
    with torch.device("meta"):
        shape = {"channels": 3, "num_classes": 10}
        return build_generator(config.network, **shape), build_discriminator(config.network, **shape)


def size(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets(name):
    config = preset(name)
    assert config.preset == name
    assert parse_config(config.model_dump(mode="json")) == config
    assert preset(name) == config
    assert len((PRESETS[name].__doc__ or "").splitlines()) == 1
    assert config.train.total_images > config.train.batch_size
    assert config.train.checkpoint_kimg <= config.train.total_kimg
    assert config.evaluation.num_images >= 4
    assert config.network.resolution == RESOLUTIONS[name]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_their_networks_can_be_built_and_are_a_match(name, request):
    config = preset(name)
    if config.network.architecture == "projected":
        request.getfixturevalue("few_shot_extra")
    G, D = networks(config)
    labels = torch.zeros(2, dtype=torch.int64, device="meta")
    with torch.no_grad():
        images = G(torch.zeros(2, config.network.latent_dim, device="meta"), labels)
    assert images.shape == (2, 3, RESOLUTIONS[name], RESOLUTIONS[name])
    assert D.mixes_images is (config.network.discriminator_normalisation == "batch")
    # of what judges few images the heads alone are trained
    assert 0.9 < size(G) / size(D) < (4 if config.network.architecture == "projected" else 3)


@pytest.mark.parametrize("name", ["digits", "fashion-mnist", "dcgan-28"])
def test_their_discriminators_take_their_images(name):
    D = build_discriminator(preset(name).network, channels=1, num_classes=0)
    labels = torch.zeros(2, dtype=torch.int64)
    assert D(torch.zeros(2, 1, RESOLUTIONS[name], RESOLUTIONS[name]), labels, labels).shape == (2,)


@pytest.mark.parametrize("name", ["r3gan-32", "r3gan-64", "r3gan-256"])
def test_the_published_widths_give_twenty_odd_million_weights_a_network(name):
    assert all(20e6 < size(network) < 30e6 for network in networks(preset(name)))


@pytest.mark.parametrize("name", ["r3gan-32", "r3gan-64", "r3gan-256"])
def test_what_r3gans_code_does_and_others_of_ours_do_not(name):
    """Facts of the authors' `train.py`, `R3GAN/Networks.py` and `R3GAN/Trainer.py`."""
    config = preset(name)
    network = config.network
    assert (network.embedding_dim, network.discriminator_embedding_dim) == (64, 768)
    assert (network.class_scale, network.upsampling, network.blocks_per_stage) == ("fan_in", "zeros", 2)
    assert network.transitions == "changes"
    # of 4, 5 and 7 stages the last 3, 4 and 4 run in bf16
    assert network.fp32_stages == {"r3gan-32": 1, "r3gan-64": 1, "r3gan-256": 3}[name]
    assert config.loss.penalty_input == "images"
    assert config.augment.operations == ("ada-geometry", "ada-colour", "cutout")
    assert config.augment.colour_share == 0.5
    assert config.train.fresh_generator_batch


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - {"debug"}))  # whose run is as short as its half-life
def test_the_half_life_of_a_preset_is_reached(name):
    train = preset(name).train
    wanted = train.final_ema_halflife_kimg or train.ema_halflife_kimg or train.ema_rampup * train.total_kimg
    last = step_settings(preset(name), train.total_images - train.batch_size).ema_decay
    step = train.batch_size * train.generator_every
    # at the end of the cosine, but for its last step
    assert -step * math.log(2) / math.log(last) / 1000 == pytest.approx(wanted, rel=0.01)


def test_the_classics_are_what_their_papers_say():
    dcgan = preset("dcgan-64")
    assert dcgan.network.widths == (1024, 512, 256, 128)
    assert (dcgan.network.latent_dim, dcgan.loss.kind, penalised(dcgan.loss)) == (100, "nonsaturating", False)
    assert (dcgan.optimizer.lr, dcgan.optimizer.final_lr, dcgan.optimizer.beta1) == (2e-4, 2e-4, 0.5)
    wgan = preset("wgan-gp-32")
    assert (wgan.loss.kind, wgan.loss.gradient_penalty, has_r1(wgan.loss)) == ("wasserstein", 10.0, False)
    assert (wgan.train.generator_every, wgan.optimizer.beta1, wgan.optimizer.beta2) == (5, 0.0, 0.9)
    assert wgan.network.discriminator_normalisation == "none"


def test_no_two_presets_train_alike():
    assert len({make().training_hash() for make in PRESETS.values()}) == len(PRESETS)


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(
        ConfigError, match="unknown preset «digit»: choose one of cifar10, dcgan-28, dcgan-32, dcgan-64, debug, digits"
    ):
        preset("digit")
