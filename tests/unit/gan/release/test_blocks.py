"""Blocks: what comes out depends on recipe and row alone, whatever the threads, and every image is its row's."""

from dataclasses import replace
from threading import Barrier, current_thread

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from gan.configuration.config import NetworkConfig
from gan.device.fp32 import full_fp32, rounding
from gan.errors import ReleaseError
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from gan.release.blocks import Artist
from gan.release.formats.table import format_named
from gan.release.recipe import Block, Recipe, Selection

SHAPE = (8, 8, 3)


def told(rows):
    """Images [n, 8, 8, 3] that hold the 16 bytes of (seed, label)."""
    images = np.zeros((len(rows), *SHAPE), np.uint8)
    images.reshape(len(rows), -1)[:, :16] = np.ascontiguousarray(rows.numpy()).view(np.uint8).reshape(-1, 16)
    return torch.from_numpy(images)


def read(shard):
    """The (seed, label) [n, 2] that a shard's images were drawn for."""
    images = [format_named("parquet").pixels(payload, SHAPE) for payload in shard.payloads]
    return np.stack(images).reshape(len(images), -1)[:, :16].copy().view(np.int64)


class Picky:
    """Rejects by the seed that an image holds."""

    reasons = ("odd", "third")

    def __call__(self, images, labels):
        seeds = images.reshape(len(images), -1)[:, :8].copy().view(np.int64)[:, 0]
        return np.where(seeds // 1000 % 2 == 1, 1 + (seeds % 3 == 0), 0) * (seeds % 5 == 0)


RECIPE = Recipe(100, 1000, 16, ("cat", "dog", "a/b"), 3, max_attempts=40)
PICKY = replace(RECIPE, selection=Selection(make_look=Picky, fingerprint=lambda images: images[:, 0, 0]))
LABELS = np.arange(40) % 3


def drawn(recipe, threads, program=told, block=None):
    with Artist(program, recipe, threads=threads) as artist:
        return artist.draw(block or Block.fresh(1, 37, LABELS))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("recipe", [RECIPE, PICKY])
def test_every_image_is_its_row_s(recipe, threads):
    found = drawn(recipe, threads)
    shard = found.shard
    assert (shard.index, shard.count, shard.shape) == (1, 3, SHAPE)
    assert np.array_equal(read(shard), np.stack([shard.seeds, shard.labels], axis=1))
    assert np.array_equal(shard.labels, LABELS)
    assert np.array_equal(shard.seeds, 1000 + 100 * found.attempts + 37 + np.arange(40))


def test_what_is_rejected_is_drawn_again_and_counted():
    found = drawn(PICKY, 2)
    seeds = found.shard.seeds
    assert not any(Picky()(np.stack([format_named("parquet").pixels(p, SHAPE) for p in found.shard.payloads]), LABELS))
    assert (found.attempts > 0).sum() == 8  # every fifth row
    assert found.attempts[seeds % 5 == 0].min() == 10  # seeds from 2000 on
    assert sum(found.asked.values()) == 40 + found.attempts.sum()
    rejected = sum(sum(by_label.values()) for by_label in found.rejected.values())
    assert rejected == found.attempts.sum()
    assert np.array_equal(found.fingerprints[:, 0], seeds % 256)


def test_what_is_never_kept_is_an_error():
    with pytest.raises(ReleaseError, match=r"class «.*» was rejected 3 times, mostly as"):
        drawn(replace(PICKY, max_attempts=3), 2)


def test_threads_change_no_bit():
    torch.manual_seed(0)
    network = NetworkConfig(widths=(16, 16), latent_dim=8, embedding_dim=4, group_width=4, expansion=1)
    G = build_generator(network, channels=3, num_classes=3)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    before = torch.get_num_threads()
    one, two = (drawn(replace(RECIPE, batch_size=7), threads, SeededGenerator(G)) for threads in (1, 2))
    assert one.shard.payloads == two.shard.payloads
    assert one.shard.digests == two.shard.digests
    assert len(set(one.shard.digests)) == 40
    assert torch.get_num_threads() == before


def test_where_a_shard_begins_changes_no_bit():
    whole = drawn(RECIPE, 2, block=Block.fresh(0, 0, np.arange(100) % 3)).shard
    part = drawn(RECIPE, 2, block=Block.fresh(0, 37, np.arange(37, 77) % 3)).shard
    assert whole.payloads[37:77] == part.payloads


def test_rows_are_told_as_they_are_kept():
    told_rows = []
    with Artist(told, PICKY, threads=2) as artist:
        artist.draw(Block.fresh(0, 0, LABELS), told_rows.append)
    assert sum(told_rows) == 40
    assert min(told_rows) >= 0


def test_a_program_that_fails_ends_the_drawing():
    def broken(rows):
        if len(rows) > 1:
            raise RuntimeError("out of memory")
        return told(rows)

    with pytest.raises(RuntimeError, match="out of memory"):
        drawn(RECIPE, 2, broken)


def test_a_drawing_that_nobody_waits_for_any_more_ends():
    with Artist(told, RECIPE, threads=2) as artist:
        artist.stop()
        with pytest.raises(RuntimeError, match="shutdown"):
            artist.draw(Block.fresh(0, 0, LABELS))


def test_looks_that_overlap_leave_a_process_that_can_export():
    """An exporter asks whether cuDNN may round to TF32, and PyTorch refuses to say where its parts differ."""
    overlapping = Barrier(2)

    class Measuring(Picky):
        def __call__(self, images, labels):
            with full_fp32():
                overlapping.wait(60)
                if current_thread().name.endswith("_1"):  # leaves after the other
                    overlapping.wait(60)
            if current_thread().name.endswith("_0"):
                overlapping.wait(60)
            return np.zeros(len(images), np.int64)

    before = torch.backends.cudnn.allow_tf32
    drawn(replace(RECIPE, batch_size=20, selection=Selection(make_look=Measuring)), 2, block=Block.fresh(0, 0, LABELS))
    assert torch.backends.cudnn.allow_tf32 == before


def blas_threads():
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_an_artist_that_cannot_draw_its_first_image_has_changed_nothing():
    def broken(rows):
        raise MemoryError

    before = rounding(), blas_threads()
    with pytest.raises(MemoryError), Artist(broken, RECIPE, threads=1):
        pytest.fail("inside")
    assert (rounding(), blas_threads()) == before


def test_artists_at_once_leave_in_any_order():
    before = rounding(), blas_threads()
    one, other = Artist(told, RECIPE, threads=1), Artist(told, RECIPE, threads=1)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert (rounding(), blas_threads()) == (("ieee",) * 3, {1})
    other.__exit__(None, None, None)
    assert (rounding(), blas_threads()) == before


def test_what_a_batch_takes_is_measured_without_a_trace():
    before = torch.get_num_threads()
    seen = []

    class Noting(Picky):
        def __call__(self, images, labels):
            seen.append(len(images))
            return super().__call__(images, labels)

    artist = Artist(told, replace(PICKY, selection=Selection(make_look=Noting)), threads=1)
    assert artist.seconds_of_batch() > 0.0
    assert seen == [8, 8]  # not all of a batch, for a look may take long
    assert torch.get_num_threads() == before
