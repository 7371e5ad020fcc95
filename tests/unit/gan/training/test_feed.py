"""What reaches a worker: the ledger of rows, seeds and flips does not know how many workers there are."""

import os
import threading
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.errors import ReadError
from gan.keyed_random import Purpose, image_seeds, integers
from gan.training.feed import Feed, worker_slice
from gan.training.place import Budget

CPU = torch.device("cpu")
SIZE = 13


def feed(*, seed=3, flip=True, size=SIZE):
    images = np.arange(size * 2 * 3 * 3, dtype=np.uint8).reshape(size, 2, 3, 3)
    return Feed(images, np.arange(size, dtype=np.int64) * 10, seed=seed, flip=flip, latent_dim=4, device=CPU)


def ledger(source, *, batch_size, steps, world_size):
    """Per global image index: row, seed, label and pixels, in the order of consumption by rank."""
    entries = {}
    for start in range(0, steps * batch_size, batch_size):
        for rank in range(world_size):
            batch = source.batch(*worker_slice(start, batch_size, rank, world_size))
            columns = (batch.indices, batch.rows, batch.draws.seeds, batch.labels, batch.real_images)
            for index, row, seed, label, image in zip(*columns, strict=True):
                assert index.item() not in entries
                entries[index.item()] = (row.item(), seed.item(), label.item(), image.flatten().tolist())
    return entries


@pytest.mark.parametrize("world_size", [2, 3, 5])
@pytest.mark.parametrize("batch_size", [2, 7, 16])
def test_any_number_of_workers_consumes_what_one_does(world_size, batch_size):
    alone = ledger(feed(), batch_size=batch_size, steps=9, world_size=1)
    assert sorted(alone) == list(range(9 * batch_size))
    assert ledger(feed(), batch_size=batch_size, steps=9, world_size=world_size) == alone


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 300), st.integers(1, 40))
def test_slices_are_even_and_cover_the_batch(start, batch_size, world_size):
    slices = [worker_slice(start, batch_size, rank, world_size) for rank in range(world_size)]
    assert slices[0][0] == start
    assert slices[-1][1] == start + batch_size
    assert all(before[1] == after[0] for before, after in pairwise(slices))
    sizes = [last - first for first, last in slices]
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**62))
def test_each_epoch_visits_each_image_once(size, batch_size, seed):
    source = feed(seed=seed, size=size)
    steps = -(-3 * size // batch_size)
    rows = torch.cat([source.batch(start * batch_size, (start + 1) * batch_size).rows for start in range(steps)])
    for epoch in range(3):
        assert sorted(rows[epoch * size : (epoch + 1) * size].tolist()) == list(range(size))


def test_epochs_and_runs_have_orders_of_their_own():
    orders = {tuple(feed(seed=seed).batch(e * SIZE, e * SIZE + SIZE).rows.tolist()) for seed in (0, 1) for e in (0, 1)}
    assert len(orders) == 4


def test_a_batch_can_be_had_again_and_out_of_order():
    source = feed()
    late, early, again = source.batch(100, 110), source.batch(0, 10), source.batch(100, 110)
    assert torch.equal(late.rows, again.rows)
    assert torch.equal(late.real_images, again.real_images)
    assert torch.equal(early.rows, feed().batch(0, 10).rows)


def test_pixels_labels_seeds_and_flips_are_those_of_the_row():
    source = feed()
    images = np.arange(SIZE * 18, dtype=np.uint8).reshape(SIZE, 2, 3, 3)
    batch = source.batch(5, 45)
    assert batch.real_images.dtype == torch.float32
    assert torch.equal(batch.draws.seeds, image_seeds(3, torch.arange(5, 45)))
    assert torch.equal(batch.labels, batch.rows * 10)
    flips = integers(batch.draws.seeds, Purpose.FLIP, 2).tolist()
    assert 5 < sum(flips) < 35
    for found, row, flip in zip(batch.real_images, batch.rows.tolist(), flips, strict=True):
        wanted = images[row].transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
        np.testing.assert_allclose(found.numpy(), wanted[:, :, ::-1] if flip else wanted, atol=1e-6)


def test_white_is_one_and_black_is_minus_one_and_nothing_is_flipped_unless_asked():
    images = np.zeros((2, 1, 2, 1), dtype=np.uint8)
    images[:, :, 1] = 255
    source = Feed(images, np.full(2, -1), seed=0, flip=False, latent_dim=4, device=CPU)
    batch = source.batch(0, 50)
    assert batch.real_images.unique(dim=0).tolist() == [[[[-1.0, 1.0]]]]
    assert set(batch.labels.tolist()) == {-1}


def test_the_dataset_is_not_changed(tmp_path):
    np.save(tmp_path / "images.npy", np.full((3, 2, 2, 1), 7, dtype=np.uint8))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for images in (mapped, np.array(mapped)):
        source = Feed(images, np.zeros(3, dtype=np.int64), seed=0, flip=True, latent_dim=4, device=CPU)
        first = source.batch(0, 3).real_images.clone()
        source.batch(0, 3).real_images.fill_(9.0)
        assert torch.equal(source.batch(0, 3).real_images, first)
        assert np.unique(images).tolist() == [7]


def test_an_empty_slice():
    batch = feed().batch(4, 4)
    assert batch.real_images.shape == (0, 3, 2, 3)
    assert len(batch.rows) == len(batch.draws.seeds) == len(batch.labels) == 0


IN_MEMORY, ON_DISK = Budget(2**40), Budget(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("images")


def mapped(folder, size):
    """Images of a file, which is made if it is not there."""
    path = folder / f"{size}.npy"
    if not path.exists():
        np.save(path, np.random.default_rng(size).integers(0, 256, (size, 2, 3, 3), dtype=np.uint8))
    return np.load(path, mmap_mode="r")


def opened(folder, size, budget, batch_size, seed=3):
    labels = np.arange(size, dtype=np.int64)
    feed = {"seed": seed, "flip": True, "latent_dim": 4, "device": CPU, "batch_size": batch_size, "budget": budget}
    return Feed(mapped(folder, size), labels, **feed)


def same(one, other):
    columns = [vars(batch) | vars(batch.draws) for batch in (one, other)]
    return all(torch.equal(columns[0][name], columns[1][name]) for name in columns[0].keys() - {"draws"})


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 30),
    batch_size=st.integers(1, 40),
    worker=st.integers(1, 5).flatmap(lambda world_size: st.tuples(st.integers(0, world_size - 1), st.just(world_size))),
    seed=st.integers(0, 2**62),
    first=st.integers(0, 10**6),
)
def test_where_images_are_changes_nothing_of_them(folder, size, batch_size, worker, seed, first):
    with (
        opened(folder, size, IN_MEMORY, batch_size, seed) as held,
        opened(folder, size, ON_DISK, batch_size, seed) as read,
    ):
        for step in range(5):
            span = worker_slice(first + step * batch_size, batch_size, *worker)
            assert same(held.batch(*span), read.batch(*span))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 40)), min_size=1, max_size=12))
def test_batches_that_nobody_guessed_are_the_same_too(folder, spans):
    with opened(folder, 30, IN_MEMORY, 8) as held, opened(folder, 30, ON_DISK, 8) as read:
        for start, length in spans:
            assert same(held.batch(start, start + length), read.batch(start, start + length))


def test_a_file_that_is_cut_short_is_an_error_of_the_step_and_leaves_no_thread(tmp_path):
    with opened(tmp_path, 1000, ON_DISK, 2) as feed:
        feed.batch(0, 2)
        os.truncate(tmp_path / "1000.npy", 128 + 18)  # the header, and the first image
        with pytest.raises(ReadError, match=r"1000\.npy cannot be read \(it is shorter than it was\)"):
            feed.batch(400, 402)
    assert not [each for each in threading.enumerate() if each.name.startswith("training-images")]


def test_images_that_are_in_memory_already_are_used_there():
    images = np.zeros((4, 2, 2, 1), np.uint8)
    source = Feed(
        images, np.zeros(4, np.int64), seed=0, flip=False, latent_dim=4, device=CPU, batch_size=2, budget=ON_DISK
    )
    images[:] = 255
    assert source.batch(0, 4).real_images.unique().tolist() == [1.0]


@pytest.mark.gpu
@pytest.mark.parametrize("budget", [Budget(0, 0), Budget(2**40, 0)])
def test_images_that_come_to_a_gpu_beside_the_step_are_those_it_would_hold(folder, budget):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    feeds = {"seed": 3, "flip": True, "latent_dim": 4, "device": torch.device("cuda"), "batch_size": 64}
    images, labels = mapped(folder, 3000), np.arange(3000, dtype=np.int64)
    with (
        Feed(images, labels, **feeds, budget=Budget(0, 2**40)) as held,
        Feed(images, labels, **feeds, budget=budget) as read,
    ):
        for start in range(0, 64 * 200, 64):
            assert same(held.batch(start, start + 64), read.batch(start, start + 64))
