"""The loaders that the feed is timed against make its very batches."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader


@pytest.fixture(scope="session")
def bench(benchmark_module):
    return benchmark_module("feed")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (150, 6, 6, 3), dtype=np.uint8), rng.integers(0, 10, 150)


@pytest.fixture
def feed(bench, arrays):
    return bench.feed(*arrays, bench.CPU)


@pytest.mark.parametrize("kind", ["Items", "Lists"])
def test_a_loader_makes_the_batches_of_the_feed(bench, arrays, feed, kind):
    order, mirrored = bench.keyed(150)
    loader = bench.loader(getattr(bench, kind)(*arrays, mirrored, order), bench.CPU)
    for _ in range(2):  # every pass is the first one again
        bench.check({"feed": feed, kind: loader})
    assert [len(labels) for _, labels in feed] == [64, 64, 22]
    assert 0 < mirrored.sum() < 150


def test_another_flip_is_seen(bench, arrays, feed):
    order, mirrored = bench.keyed(150)
    mirrored[70] = not mirrored[70]
    loader = DataLoader(bench.Items(*arrays, mirrored, order), bench.BATCH)
    with pytest.raises(SystemExit, match="Items does not make"):
        bench.check({"feed": feed, "Items": loader})


def test_a_rate_is_of_all_images(bench):
    labels = torch.zeros(5)
    assert bench.rate([(labels, labels), (labels, labels)], 10, bench.CPU) > 0
    with pytest.raises(AssertionError):
        bench.rate([(labels, labels)], 10, bench.CPU)
