"""Shards from finished parts: onto an earlier dataset, and with grey among coloured images."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from gan.configuration.config import DataConfig
from gan.data.pixels.prepare import prepare
from gan.data.store import shards
from gan.data.store.shards import read_column, read_split, shard_paths

CONFIG = DataConfig(resolution=8, holdout_fraction=0.3)


@pytest.fixture
def small_shards(monkeypatch):
    """Make shards of 10 and row groups of 4 grey images of 8x8."""
    monkeypatch.setattr(shards, "_SHARD_BYTES", 10 * 64)
    monkeypatch.setattr(shards, "_GROUP_BYTES", 4 * 64)


def rows_of(folder, split):
    return [len(read_digests) for read_digests in (shards.read_digests(path)[0] for path in shard_paths(folder, split))]


def digests(folder, split="train"):
    return read_column(folder, split, "sha256")


def together(folder, split):
    images, labels = zip(*read_split(folder, split), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def test_every_image_lies_in_its_split_in_the_order_of_the_source(build, noise, tmp_path, small_shards):
    records = [noise(seed, split="test" if seed % 4 == 0 else "train") for seed in range(48)]
    build(records, tmp_path / "out", CONFIG, has_split=True)
    assert rows_of(tmp_path / "out", "train") == [10, 10, 10, 6]
    assert rows_of(tmp_path / "out", "test") == [10, 2]
    for split in ("train", "test"):
        own = [record for record in records if record.split == split]
        images, labels = together(tmp_path / "out", split)
        options = {"resolution": 8, "crop": "centre", "filter": "lanczos", "channels": 1}
        assert np.array_equal(images, np.stack([prepare(record.pixels, **options) for record in own]))
        assert labels.tolist() == [record.label for record in own]


def test_new_images_go_behind_those_that_are_there(build, contents, noise, tmp_path, small_shards):
    old = [noise(seed) for seed in range(20, 75)]
    new = [noise(seed) for seed in range(20)]
    build(old, tmp_path / "old", CONFIG)
    build([*new, *old], tmp_path / "new", CONFIG, previous=tmp_path / "old")
    build([*new, *old], tmp_path / "again", CONFIG, previous=tmp_path / "new")
    assert contents(tmp_path / "new") == contents(tmp_path / "again")
    for split in ("train", "test"):
        before, after = digests(tmp_path / "old", split), digests(tmp_path / "new", split)
        assert after[: len(before)] == before
        assert len(after) > len(before)
        earlier = shard_paths(tmp_path / "old", split)
        for path, newer in zip(earlier[:-1], shard_paths(tmp_path / "new", split), strict=False):
            assert path.read_bytes() == newer.read_bytes()
    build(old, tmp_path / "less", CONFIG, previous=tmp_path / "new")
    for split in ("train", "test"):
        earlier = shard_paths(tmp_path / "old", split)
        for path, newer in zip(earlier[:-1], shard_paths(tmp_path / "less", split), strict=False):
            assert path.read_bytes() == newer.read_bytes()
        assert sorted(digests(tmp_path / "less", split)) == sorted(digests(tmp_path / "old", split))


def test_removed_and_relabelled_images_change_their_shards_alone(build, noise, tmp_path, small_shards):
    records = [noise(seed, split="test" if seed < 4 else "train") for seed in range(44)]
    build(records, tmp_path / "old", CONFIG, has_split=True)
    changed = [replace(record, label=1 - record.label) if at == 27 else record for at, record in enumerate(records)]
    build([each for at, each in enumerate(changed) if at != 8], tmp_path / "new", CONFIG, has_split=True,
          previous=tmp_path / "old")  # fmt: skip
    before, after = shard_paths(tmp_path / "old", "train"), shard_paths(tmp_path / "new", "train")
    same = [old.read_bytes() == new.read_bytes() for old, new in zip(before, after, strict=True)]
    assert same == [False, True, False, True]
    assert rows_of(tmp_path / "new", "train") == [9, 10, 10, 10]
    labels = [record.label for at, record in enumerate(changed) if at >= 4 and at != 8]
    assert read_column(tmp_path / "new", "train", "label") == labels


@pytest.mark.parametrize("channels", ["auto", 3])
def test_grey_images_among_coloured_ones_become_rgb(build, noise, tmp_path, channels):
    records = [noise(seed, channels=3 if seed % 5 == 0 else 1) for seed in range(40)]
    config = CONFIG.model_copy(update={"channels": channels})
    assert build(records, tmp_path / "out", config).info.channels == 3
    expected = {}
    for record in records:
        options = {"resolution": 8, "crop": "centre", "filter": "lanczos", "channels": 3}
        pixels = prepare(record.pixels, **options)
        expected[hashlib.sha256(pixels.tobytes()).hexdigest()] = pixels
    for split in ("train", "test"):
        images, _ = together(tmp_path / "out", split)
        for digest, image in zip(digests(tmp_path / "out", split), images, strict=True):
            assert np.array_equal(expected.pop(digest), image)
    assert not expected


@pytest.mark.parametrize("crop", ["centre", "pad", "stretch"])
def test_told_to_be_rgb_or_found_to_be_is_the_same(build, contents, noise, tmp_path, crop):
    records = [noise(seed, channels=3 if seed % 5 == 0 else 1) for seed in range(40)]
    for name, channels in (("auto", "auto"), ("told", 3)):
        config = CONFIG.model_copy(update={"channels": channels, "crop": crop, "background": "#ff8000"})
        build(records, tmp_path / name, config)
    assert contents(tmp_path / "auto") == contents(tmp_path / "told")


def test_a_first_coloured_image_rewrites_the_grey_ones_as_rgb(build, contents, noise, tmp_path, small_shards):
    records = [noise(seed) for seed in range(30)]
    build(records, tmp_path / "grey", CONFIG)
    records.append(noise(99, channels=3))
    built = build(records, tmp_path / "mixed", CONFIG, previous=tmp_path / "grey")
    build(records, tmp_path / "alone", CONFIG)
    assert built.info.channels == 3
    assert contents(tmp_path / "mixed") == contents(tmp_path / "alone")
