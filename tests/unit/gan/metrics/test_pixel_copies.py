"""Altered copies are found by their pixels, and no more honest images are called so than the level says."""

import io

import numpy as np
import pytest
from PIL import Image

from gan.evaluation.copy_shares import LEVEL
from gan.metrics.copies import CopiesResult
from gan.metrics.copy_control import Control
from gan.metrics.pixel_copies import PixelNearness, find_pixel_copies


def draw_images(count: int, seed: int, channels: int = 3, size: int = 32) -> np.ndarray:
    """Pictures of three soft blobs on a gradient; every tenth is an almost flat sky, which all look alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    slope = rng.uniform(-50, 50, (count, 1, 1, channels)) * x[..., None]
    blobs = np.zeros((count, size, size, channels))
    for _ in range(3):
        at, width = rng.uniform(0, 1, (2, count, 1, 1)), rng.uniform(0.05, 0.25, (count, 1, 1))
        bump = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * width**2))
        blobs += bump[..., None] * rng.uniform(-110, 110, (count, 1, 1, channels))
    blobs[::10] *= 0.02
    return (128 + slope + blobs + rng.normal(0, 2, blobs.shape)).clip(0, 255).astype(np.uint8)


def shift(images: np.ndarray) -> np.ndarray:
    return np.pad(images, ((0, 0), (2, 0), (0, 2), (0, 0)), mode="edge")[:, :-2, 2:]


def recompress(images: np.ndarray) -> np.ndarray:
    copies = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image.squeeze()).save(file, "JPEG", quality=75)
        copies.append(np.asarray(Image.open(file)).reshape(image.shape))
    return np.stack(copies)


def add_noise(images: np.ndarray) -> np.ndarray:
    return (images + np.random.default_rng(5).normal(0, 5, images.shape)).clip(0, 255).astype(np.uint8)


ALTERATIONS = {
    "exact": lambda images: images,
    "shifted": shift,
    "mirrored": lambda images: images[:, :, ::-1],
    "recompressed": recompress,
    "noised": add_noise,
    "brighter": lambda images: (images.astype(int) + 8).clip(0, 255).astype(np.uint8),
}


def enlarged(images: np.ndarray, side: int) -> np.ndarray:
    """Digits [N, 16, 16, 1] as [N, side, side, 1]."""
    larger = [Image.fromarray(each[..., 0]).resize((side, side), Image.Resampling.BILINEAR) for each in images]
    return np.stack([np.asarray(each) for each in larger])[..., None]


def coloured(images: np.ndarray) -> np.ndarray:
    """Digits [N, H, W, 1] of a colour each, before a background that goes from one colour to another, [N, H, W, 3]."""
    ink, left, right = np.random.default_rng(7).uniform(0, 255, (3, len(images), 1, 1, 3))
    across = np.linspace(0, 1, images.shape[2])[:, None]
    background = left + (right - left) * across
    return (background + (ink - background) * (images / 255)).round().astype(np.uint8)


@pytest.fixture(scope="module", params=["28x28 grey", "32x32 colour"])
def real(request, digits) -> tuple[np.ndarray, ...]:
    """Real digits: training images, held out ones, and honest ones."""
    images = enlarged(digits[0], 28) if request.param == "28x28 grey" else coloured(enlarged(digits[0], 32))
    return tuple(np.split(images[np.random.default_rng(0).permutation(len(images))], [900, 1350]))


def assert_found(result: CopiesResult, count: int) -> None:
    """The first `count` generated images are copies of the first training images: on top, and in the share."""
    assert result.share is not None
    assert result.share.low > result.expected == LEVEL
    top = result.pairs[:count]
    assert sorted(pair.generated for pair in top) == list(range(count))
    assert all(pair.training == pair.generated for pair in top)


@pytest.mark.parametrize("name", ["shifted", "recompressed", "noised", "brighter", "shifted and recompressed"])
def test_altered_copies_of_real_images_are_found(real, alterations, name):
    training, holdout, _ = real
    copies = alterations[name](training[:100])
    found = find_pixel_copies(copies, training, holdout, pairs=len(copies))
    assert found.share.value >= 0.9
    assert found.share.low > max(LEVEL, found.control_share)
    same = [np.array_equal(training[pair.training], training[pair.generated]) for pair in found.pairs]
    assert np.mean(same) >= 0.9


def test_honest_real_images_are_no_more_than_chance(real):
    training, holdout, honest = real
    found = find_pixel_copies(honest, training, holdout)
    assert found.control_share <= LEVEL
    assert found.share.low <= max(LEVEL, found.control_share)


def test_a_tenth_of_shifted_copies_is_seen(real, alterations):
    training, holdout, honest = real
    drawn = honest.copy()
    drawn[: len(drawn) // 10] = alterations["shifted"](training[: len(drawn) // 10])
    found = find_pixel_copies(drawn, training, holdout)
    assert found.share.low > max(LEVEL, found.control_share)


@pytest.mark.parametrize("channels", [1, 3])
def test_planted_pixels(channels: int) -> None:
    """Two copies of each kind make twelve among a thousand."""
    training = draw_images(1000, 1, channels)
    training[:12] = np.delete(draw_images(14, 4, channels), [0, 10], axis=0)  # none of them flat
    generated = draw_images(1000, 0, channels)
    generated[:12] = np.concatenate(
        [alter(training[2 * i : 2 * i + 2]) for i, alter in enumerate(ALTERATIONS.values())]
    )
    assert_found(find_pixel_copies(generated, training, draw_images(600, 3, channels)), 12)


def test_digits(digits) -> None:
    """Real images that are much alike give no alarm; shifted, mirrored and noised copies do."""
    training, generated, holdout = np.split(digits[0][np.random.default_rng(0).permutation(1797)], [900, 1350])
    honest = find_pixel_copies(generated, training, holdout)
    assert honest.share.low < LEVEL
    assert honest.share.value < 0.015
    generated[:6] = np.concatenate([alter(training[i : i + 1]) for i, alter in enumerate(ALTERATIONS.values())])
    assert_found(find_pixel_copies(generated, training, holdout), 6)


def test_shares_are_those_of_the_thresholds(digits):
    """The share counts what the look calls copies; without any control there are pairs alone."""
    training, generated, holdout = np.split(digits[0][np.random.default_rng(0).permutation(1797)], [900, 1350])
    generated[:40] = training[:40, :, ::-1]
    look = PixelNearness(training, level=LEVEL)
    thresholds, nearness = look.thresholds(look(holdout)), look(generated)
    found = find_pixel_copies(generated, training, holdout)
    assert found.share.value == thresholds.copies(nearness).mean()
    assert found.threshold == thresholds.score
    assert found.share.low <= found.share.value <= found.share.high
    few = find_pixel_copies(generated, training[:19], None, pairs=10)
    assert few.control is few.share is few.expected is few.control_share is few.threshold is few.nearer is None
    assert {pair.generated for pair in few.pairs} <= set(range(19))


def test_without_a_holdout_training_images_among_themselves_are_the_control(digits):
    """900 are enough to see small pictures by, too: each is looked up among the others, equal ones are found."""
    training, generated = (digits[0][part].copy() for part in (slice(900), slice(900, 1350)))
    training[5] = training[4]
    look = PixelNearness(training, level=LEVEL)
    control, chance = look.control(generated[:19])
    assert control is Control.AMONG
    assert np.flatnonzero(chance.equal).tolist() == [4, 5]
    assert (chance.rows != np.arange(900)).all()
    assert (chance.candidates != np.arange(900)).all()
    honest = find_pixel_copies(generated, training, None)
    assert honest.share.low <= max(LEVEL, honest.control_share)
    assert honest.nearer.found.low < honest.nearer.control
    generated[:40] = shift(training[100:140])
    found = find_pixel_copies(generated, training, None)
    assert found.share.low > max(LEVEL, found.control_share)
    assert find_pixel_copies(generated, training, generated).nearer is None


def test_without_scores_small_pictures_decide(digits):
    training, holdout = digits[0][:900], digits[0][900:]
    look = PixelNearness(training, level=LEVEL, scores=False)
    thresholds = look.thresholds(look(holdout))
    assert thresholds.score is None
    assert thresholds.copies(look(training[:20])).all()
    assert not thresholds.copies(look(255 - training[:20])).any()


def test_more_equal_images_in_the_holdout_hide_nothing(digits, alterations):
    """Held out images that the training set holds, too, are the mark of the gate, not that of the thresholds."""
    training, holdout = digits[0][:900].copy(), digits[0][900:1350].copy()
    holdout[:30] = training[:30]
    found = find_pixel_copies(alterations["shifted"](training[40:80]), training, holdout)
    assert found.share.value >= 0.9
    assert found.control_share >= 30 / 450


def test_wrong_input() -> None:
    images = draw_images(30, 0)
    for other in (images[:, :16], images[..., :1]):
        with pytest.raises(ValueError, match="one size"):
            find_pixel_copies(images, images, other)
    for generated, training, holdout in ((images[:0], images, None), (images, images[:1], None)):
        with pytest.raises(ValueError, match="are needed"):
            find_pixel_copies(generated, training, holdout)
    with pytest.raises(ValueError, match="level"):
        find_pixel_copies(images, images, None, level=0.2)
    with pytest.raises(ValueError, match="uint8"):
        find_pixel_copies(images.astype(int), images.astype(int), None)
