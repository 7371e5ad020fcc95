"""The loaders that the feed is timed against make its very batches."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from gan.training.feed import Feed


@pytest.fixture(scope="session")
def bench(benchmark_module):
    return benchmark_module("feed")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (150, 6, 6, 3), dtype=np.uint8), rng.integers(0, 10, 150)


@pytest.fixture
def feed(bench, arrays):
    return Feed(*arrays, seed=bench.SEED, flip=True, latent_dim=4, device=bench.CPU)


@pytest.mark.parametrize("kind", ["Items", "Lists"])
def test_a_loader_makes_the_batches_of_the_feed(bench, arrays, feed, kind):
    order, mirrored = bench.keyed(150)
    dataset = getattr(bench, kind)(*arrays, mirrored, order)
    collate = bench.as_it_is if kind == "Lists" else None
    ways = {"feed": bench.batches(feed, 150), kind: DataLoader(dataset, bench.BATCH, collate_fn=collate)}
    bench.check(ways)
    assert [len(labels) for _, labels in bench.batches(feed, 150)] == [64, 64, 22]
    assert 0 < mirrored.sum() < 150


def test_another_flip_is_seen(bench, arrays, feed):
    order, mirrored = bench.keyed(150)
    mirrored[70] = not mirrored[70]
    loader = DataLoader(bench.Items(*arrays, mirrored, order), bench.BATCH)
    with pytest.raises(SystemExit, match="Items does not make"):
        bench.check({"feed": bench.batches(feed, 150), "Items": loader})


def test_a_rate_is_of_all_images(bench):
    labels = torch.zeros(5)
    assert bench.rate([(labels, labels), (labels, labels)], 10) > 0
    with pytest.raises(AssertionError):
        bench.rate([(labels, labels)], 10)
