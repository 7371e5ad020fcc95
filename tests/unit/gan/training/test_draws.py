"""What is drawn ahead is what is drawn for each image alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.keyed_random import Purpose, derive, image_seeds, integers, normal
from gan.objective.augment import augmentation_draws
from gan.training.draws import Draws, DrawsAhead, draw

CPU = torch.device("cpu")


def columns(draws):
    return [draws.seeds, draws.fake_seeds, draws.mirrored, draws.z, draws.augmentation]


def test_every_column_follows_from_the_images_seed():
    indices = torch.tensor([0, 7, 2**40])
    found = draw(3, indices, latent_dim=5, augmentation=16)
    seeds = image_seeds(3, indices)
    fakes = derive(seeds, Purpose.FAKE_KEY)
    assert torch.equal(found.seeds, seeds)
    assert torch.equal(found.fake_seeds, fakes)
    assert torch.equal(found.mirrored, (integers(seeds, Purpose.FLIP, 2) * 255).byte())
    assert torch.equal(found.z, normal(seeds, Purpose.LATENT, 5))
    assert torch.equal(found.augmentation[:, 0], augmentation_draws(seeds, 16))
    assert torch.equal(found.augmentation[:, 1], augmentation_draws(fakes, 16))
    assert found.augmentation.shape == (3, 2, 16)
    assert draw(3, indices, latent_dim=5, augmentation=0).augmentation.shape == (3, 2, 0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 700)), min_size=1, max_size=6),
    st.integers(1, 40),
    st.sampled_from([0, 16, 44]),
)
def test_any_stretch_in_any_order_is_as_drawn_alone(spans, latent_dim, augmentation):
    ahead = DrawsAhead(5, CPU, latent_dim=latent_dim, augmentation=augmentation)
    for start, count in spans:
        alone = draw(5, torch.arange(start, start + count), latent_dim=latent_dim, augmentation=augmentation)
        found = ahead.of(start, start + count)
        assert all(torch.equal(one, other) for one, other in zip(columns(found), columns(alone), strict=True))


@pytest.mark.parametrize("batch", [1, 16, 100])
def test_batch_after_batch_draws_seldom(monkeypatch, batch):
    from gan.training import draws as module

    calls = []
    monkeypatch.setattr(module, "draw", lambda *args, **kwargs: calls.append(args) or draw(*args, **kwargs))
    ahead = DrawsAhead(0, CPU, latent_dim=64, augmentation=16)
    for index in range(1000 // batch):
        assert isinstance(ahead.of(index * batch, (index + 1) * batch), Draws)
    assert len(calls) <= 2 + 1000 // ahead.ahead * 2
