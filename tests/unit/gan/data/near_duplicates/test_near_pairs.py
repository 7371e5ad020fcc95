"""Planted copies among honest images: found, and nothing else."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.data.near_duplicates.fingerprints import pictures_of
from gan.data.near_duplicates.near_pairs import CERTAIN, HIGHEST, find_near_pairs


def photographs(seed, count, side=32):
    """Images whose neighbouring pixels are alike, of several contrasts."""
    rng = np.random.default_rng(seed)
    images = rng.normal(128, 3, (count, side, side, 3))
    for cells, strength in ((4, 0.5), (8, 0.3), (16, 0.15)):
        for image in images:
            cloud = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
            image += strength * (np.asarray(cloud.resize((side, side), Image.Resampling.BICUBIC), float) - 128)
    return images.clip(0, 255).astype(np.uint8)


def each(alter):
    return lambda images: np.stack([np.asarray(alter(Image.fromarray(image))) for image in images])


def recompressed(quality):
    def alter(image):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return each(alter)


def rescaled(to):
    filters = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS
    return each(lambda image: image.resize((to, to), filters[0]).resize(image.size, filters[1]))


ALTERED = {
    "shifted": lambda images: np.roll(images, (1, -1), axis=(1, 2)),
    "recompressed at 50": recompressed(50),
    "recompressed at 75": recompressed(75),
    "recompressed at 90": recompressed(90),
    "made smaller": rescaled(24),
    "made larger": rescaled(48),
    "brighter": lambda images: (images * 1.05).clip(0, 255).astype(np.uint8),
    "darker": lambda images: (images * 0.95).astype(np.uint8),
}


@pytest.fixture(scope="module")
def honest():
    return photographs(0, 600)


def near(images):
    found = find_near_pairs(pictures_of(images))
    taken = found.scores <= found.threshold
    return set(zip(found.first[taken].tolist(), found.second[taken].tolist(), strict=True)), found


@settings(max_examples=12, deadline=None)
@given(how=st.sampled_from(sorted(ALTERED)), seed=st.integers(0, 2**20), count=st.integers(1, 30))
def test_planted_copies_are_found_and_nothing_else(honest, how, seed, count):
    rows = np.random.default_rng(seed).choice(len(honest), count, replace=False)
    images = np.concatenate([honest, ALTERED[how](honest[rows])])
    planted = {(int(row), len(honest) + place) for place, row in enumerate(rows)}
    found, _ = near(images)
    assert found <= planted
    assert len(found) >= 0.9 * count


@pytest.mark.parametrize("how", ["shifted", "brighter", "recompressed"])
def test_so_they_are_among_small_pictures_which_are_much_alike(digits, alterations, how):
    images = digits[0]
    rows = np.arange(0, len(images), len(images) // 40)[:40]
    found, _ = near(np.concatenate([images, alterations[how](images[rows])]))
    planted = {(int(row), len(images) + place) for place, row in enumerate(rows)}
    assert found <= planted
    assert len(found) >= 0.9 * len(rows)


def test_images_of_one_kind_are_no_duplicates(digits, honest):
    for images in (digits[0], honest, photographs(1, 100)):
        found, _ = near(images)
        assert found == set()


def test_plain_images_are_near_to_many_and_no_duplicates_of_one(honest):
    # Skies: a tenth of the contrast of the others, so they differ by few grey levels.
    skies = (photographs(2, 100) * 0.08 + 120).astype(np.uint8)
    found, seen = near(np.concatenate([honest, skies]))
    assert found == set()
    assert len(seen.first), "they were looked at: as distances go they are near"
    assert seen.first.min() >= len(honest)


def test_the_threshold_falls_with_the_number_of_images_and_copies_hardly_move_it(honest):
    _, few = near(honest[:300])
    _, many = near(honest)
    assert CERTAIN < many.threshold <= few.threshold <= HIGHEST
    copies = ALTERED["darker"](honest[:60])
    assert near(np.concatenate([honest, copies]))[1].threshold == pytest.approx(many.threshold, abs=0.05)


def test_a_set_that_repeats_itself_is_told_by_what_no_chance_brings(honest):
    # Augmented before it was handed on: five of each.
    base = honest[:100]
    images = np.concatenate([base, *(np.roll(base, shift, axis=(1, 2)) for shift in ((0, 1), (1, 0), (1, 1), (0, -1)))])
    found, seen = near(images)
    assert seen.threshold == CERTAIN
    assert {a % 100 for a, b in found} == set(range(100))
    assert all(a % 100 == b % 100 for a, b in found)


def test_few_images_tell_nothing_of_chance(honest):
    found, seen = near(np.concatenate([honest[:30], ALTERED["shifted"](honest[:2])]))
    assert seen.threshold == CERTAIN
    assert found == {(0, 30), (1, 31)}


def test_each_pair_comes_once_nearest_first_and_pictures_may_be_mapped(honest, tmp_path):
    images = np.concatenate([honest, ALTERED["darker"](honest[:9]), honest[:1] // 2 + 60])
    pictures = pictures_of(images)
    found = find_near_pairs(pictures)
    assert (found.first < found.second).all()
    assert len(set(zip(found.first.tolist(), found.second.tolist(), strict=True))) == len(found.first)
    assert (np.diff(found.scores) >= 0).all()
    np.save(tmp_path / "pictures.npy", pictures)
    again = find_near_pairs(np.load(tmp_path / "pictures.npy", mmap_mode="r"))
    for one, other in zip(found, again, strict=True):
        assert np.array_equal(one, other)


def test_pictures_that_are_all_equal_are_no_measure():
    found, seen = near(np.tile(photographs(0, 1), (40, 1, 1, 1)))
    assert seen.scores.tolist() == [1.0] * len(seen.scores)
    assert found == set()
