"""Standing statistics against means and variances of the layers' inputs, and what a training has of them."""

import copy

import pytest
import torch

from gan.keyed_random import Purpose, integers, normal
from gan.networks.build import build_generator
from gan.networks.dcgan import DCGenerator
from gan.training.checkpoint import TENSORS
from gan.training.standing import FIRST_SEED, measure_statistics

LABELS = torch.tensor([0, 2, 2, 1, 2])
DCGAN = {"architecture": "dcgan", "widths": (6,), "latent_dim": 4, "embedding_dim": 3}


@pytest.fixture
def G_ema():
    torch.manual_seed(3)
    shape = {"base": 4, "channels": 1, "num_classes": 3, "latent_dim": 4, "embedding_dim": 3, "widths": (6, 5)}
    return DCGenerator(**shape).eval().requires_grad_(False)


def test_they_are_means_over_batches_of_what_enters_each_layer(G_ema):
    conv, norm = G_ema.layers[0], G_ema.layers[1]
    found = []
    for start in (0, 4, 8):  # 9 images are rounded up to three batches
        seeds = FIRST_SEED + torch.arange(start, start + 4)
        labels = LABELS[integers(seeds, Purpose.LABEL, 5)]
        z = torch.cat([normal(seeds, Purpose.LATENT, 4), G_ema.embedding(labels)], dim=1)
        entering = conv(z[:, :, None, None]).transpose(0, 1).flatten(1)
        found.append((entering.mean(1), entering.var(1)))
    means, variances = (torch.stack(each).mean(0) for each in zip(*found, strict=True))
    measure_statistics(G_ema, LABELS, 9, 4)
    torch.testing.assert_close(norm.running_mean, means)
    torch.testing.assert_close(norm.running_var, variances)


def test_the_rest_is_as_it_was_and_a_second_time_changes_nothing(G_ema):
    parameters = [each.clone() for each in G_ema.parameters()]
    measure_statistics(G_ema, LABELS, 8, 4)
    once = copy.deepcopy(G_ema.state_dict())
    measure_statistics(G_ema, LABELS, 8, 4)
    assert not any(module.training for module in G_ema.modules())
    assert G_ema.layers[1].momentum == 0.1
    assert all(map(torch.equal, parameters, G_ema.parameters()))
    assert all(map(torch.equal, once.values(), G_ema.state_dict().values()))


def test_without_images_or_without_batch_normalisation_nothing_is_done(tiny, G_ema):
    before = copy.deepcopy(G_ema.state_dict())
    measure_statistics(G_ema, LABELS, 0, 4)
    assert all(map(torch.equal, before.values(), G_ema.state_dict().values()))
    other = build_generator(tiny.config().network, channels=1, num_classes=3)
    measure_statistics(other.train(), LABELS, 8, 4)
    assert other.training  # it was not even looked at


def test_a_training_has_them_in_its_checkpoints_and_is_the_same_otherwise(tiny, tmp_path):
    plain = tiny.run(tmp_path / "plain", tiny.config(network=DCGAN)).nets
    config = tiny.config(network=DCGAN, train={"standing_images": 16})
    nets = tiny.run(tmp_path / "standing", config).nets
    for name in ("G", "D"):
        one, other = (getattr(each, name).state_dict() for each in (plain, nets))
        assert all(map(torch.equal, one.values(), other.values()))
    assert all(map(torch.equal, plain.G_ema.parameters(), nets.G_ema.parameters()))
    wanted = copy.deepcopy(plain.G_ema)
    measure_statistics(wanted, torch.from_numpy(tiny.labels), 16, 8)
    kept = torch.load(tiny.last(tmp_path / "standing") / TENSORS, weights_only=True)["G_ema"]
    assert not torch.equal(kept["layers.1.running_mean"], plain.G_ema.state_dict()["layers.1.running_mean"])
    torch.testing.assert_close(kept, dict(wanted.state_dict()), rtol=0, atol=0)
    with pytest.raises(tiny.killed):
        tiny.run(tmp_path / "stopped", config, stop_at=32)
    resumed = tiny.run(tmp_path / "stopped", config).nets
    torch.testing.assert_close(dict(resumed.G_ema.state_dict()), dict(nets.G_ema.state_dict()), rtol=0, atol=0)
