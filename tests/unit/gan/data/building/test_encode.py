"""One part to a table: what is rejected by itself, and what is noted of each image."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gan.configuration.config import DataConfig
from gan.data.building.encode import SCHEMA, Job, digests, encode, sums
from gan.data.building.judge import BLANK, TOO_SMALL, WRONG_ASPECT
from gan.data.building.recipe import Recipe
from gan.data.building.split import split_key
from gan.data.pixels.formats import installed
from gan.data.pixels.png import decode_png
from gan.data.pixels.prepare import prepare
from gan.data.records import Reject, SourceImage

CONFIG = DataConfig(resolution=8)
STACKS = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))


@pytest.fixture
def rows(list_source):
    def make(records, **changes):
        (part,) = list_source(records, part=1000).parts()
        table = pa.ipc.open_file(encode(Job(part, Recipe.of(DataConfig(**{"resolution": 8} | changes))))).read_all()
        assert table.schema == SCHEMA
        return table.to_pylist()

    return make


def one(height, width, value=None):
    pixels = np.full((height, width, 1), value or 0, np.uint8)
    if value is None:
        pixels[: height // 2 + 1, : width // 2 + 1] = np.arange(width // 2 + 1)[:, None] * 20 + 9
    return SourceImage(f"{width}x{height}", 0, pixels)


def test_a_row_says_what_there_is_to_know_of_an_image(rows, noise):
    (row,) = rows([noise(5, label=3, split="test", shape=(12, 9), path="cat/5.png")])
    source = noise(5, shape=(12, 9)).pixels
    pixels = prepare(source, resolution=8, crop="centre", filter="lanczos", channels=1)
    assert (row["path"], row["reason"], row["detail"], row["label"], row["split"]) == ("cat/5.png", "", "", 3, 1)
    assert (row["channels"], row["width"], row["height"]) == (1, 9, 12)
    assert row["key"] == split_key(source)
    assert row["sha256"] == hashlib.sha256(pixels.tobytes()).digest()
    assert row["sha256_rgb"] == hashlib.sha256(pixels.repeat(3, axis=2).tobytes()).digest()
    assert np.array_equal(decode_png(row["png"], (8, 8, 1)), pixels)


def test_rows_keep_the_order_of_the_records_whatever_they_are(rows, noise):
    records = [noise(0), Reject("a", "empty file"), noise(1, channels=3), noise(2), one(8, 90), noise(3, channels=3)]
    found = rows(records)
    assert [row["path"] for row in found] == [record.path for record in records]
    assert [row["channels"] for row in found] == [1, 0, 3, 1, 0, 3]
    for row, record in zip(found, records, strict=True):
        if row["channels"]:
            shape = (8, 8, row["channels"])
            options = {"resolution": 8, "crop": "centre", "filter": "lanczos", "channels": row["channels"]}
            assert np.array_equal(decode_png(row["png"], shape), prepare(record.pixels, **options))


def test_splits_are_noted_as_the_source_has_them(rows, noise):
    assert [row["split"] for row in rows([noise(1, split=split) for split in ("train", "test", None)])] == [0, 1, -1]


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((2, 2), ""),
        ((1, 4), TOO_SMALL),
        ((2, 8), ""),  # four times as long is as long as may be
        ((8, 2), ""),
        ((2, 9), WRONG_ASPECT),
        ((9, 2), WRONG_ASPECT),
    ],
)
def test_small_and_thin_images_are_rejected_exactly_beyond_the_limit(rows, size, reason):
    (row,) = rows([one(*size)], max_aspect=4)
    assert row["reason"] == reason
    assert bool(row["channels"]) == (not reason)


def test_a_small_image_is_told_what_was_wanted(rows):
    (row,) = rows([one(9, 3)], min_side=5)
    assert (row["reason"], row["detail"]) == (TOO_SMALL, "3x9 pixels, where 5 a side are wanted")
    (row,) = rows([one(9, 3)], min_side=3)
    assert row["reason"] == ""


@pytest.mark.parametrize("channels", [1, 3])
def test_only_an_image_of_one_colour_is_blank(rows, channels):
    blank = np.full((8, 8, channels), (10, 20, 30)[:channels], np.uint8)
    for place in ((0, 0, 0), (0, 7, channels - 1), (7, 0, 0), (7, 7, channels - 1)):
        spotted = blank.copy()
        spotted[place] += 1
        first, second = rows([SourceImage("a", 0, blank), SourceImage("b", 0, spotted)])
        assert (first["reason"], second["reason"]) == (BLANK, "")


def test_images_become_the_channels_asked_for(rows, noise):
    for channels in (1, 3):
        found = rows([noise(0), noise(1, channels=3)], channels=channels)
        assert [row["channels"] for row in found] == [channels] * 2
        assert [row["sha256_rgb"] for row in found] == [bytes(32)] * 2
    auto = rows([noise(0), noise(1, channels=3)])
    assert [row["channels"] for row in auto] == [1, 3]
    assert [row["sha256_rgb"] == bytes(32) for row in auto] == [False, True]


@settings(max_examples=100, deadline=None)
@given(images=STACKS.flatmap(lambda shape: arrays(np.uint8, shape)))
def test_sums_and_digests_are_numpys_and_hashlibs(images):
    wide = images.astype(np.int64).repeat(3 // images.shape[3], axis=3)
    expected = np.concatenate([wide.sum(axis=(1, 2)), (wide**2).sum(axis=(1, 2))], axis=1)
    assert sums(images) == expected.tolist()
    assert digests(images) == [hashlib.sha256(image.tobytes()).digest() for image in images]


def test_sums_of_the_largest_images_do_not_overflow():
    assert sums(np.full((1, 1024, 1024, 1), 255, np.uint8)) == [[2**20 * 255] * 3 + [2**20 * 255**2] * 3]


def test_the_key_changes_with_the_part_and_with_whatever_changes_an_image(list_source, noise):
    (part,) = list_source([noise(0)]).parts()
    (other,) = list_source([noise(1)]).parts()
    changes = [
        {},
        {"resolution": 16},
        {"channels": 1},
        {"crop": "pad"},
        {"filter": "box"},
        {"background": "#000000"},
        {"min_side": 1},
        {"max_aspect": 2.0},
    ]
    recipes = [Recipe.of(DataConfig(**{"resolution": 8} | change)) for change in changes]
    keys = [Job(part, recipe).key() for recipe in recipes] + [Job(other, recipes[0]).key()]
    assert len(set(keys)) == len(keys)
    assert Job(part, Recipe.of(CONFIG)).key() == keys[0]
    # What needs all images together leaves finished parts as they are.
    later = DataConfig(resolution=8, holdout_fraction=0.5, split="hash", min_class_images=9, max_reject_share=1.0)
    assert Job(part, Recipe.of(later)).key() == keys[0]


def test_what_was_rejected_for_want_of_a_package_is_read_again_once_it_is_there(
    list_source, noise, tmp_path, monkeypatch
):
    (part,), recipe = list_source([noise(0)]).parts(), Recipe.of(CONFIG)
    before = Job(part, recipe).key()
    (tmp_path / "gdcm.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    installed.cache_clear()
    assert Job(part, recipe).key() != before
    monkeypatch.undo()
    installed.cache_clear()
    assert Job(part, recipe).key() == before
