"""The pixel distance: small for altered copies, and blind to nothing else."""

import numpy as np
import pytest

from gan.metrics.pixel_vectors import PixelVectors, nearest_pixels


def draw(count: int, size: int = 32, channels: int = 3) -> np.ndarray:
    """Blocky random pictures, different in every corner."""
    coarse = np.random.default_rng(0).integers(40, 200, (count, 4, 4, channels), dtype=np.uint8)
    return coarse.repeat(size // 4, axis=1).repeat(size // 4, axis=2)


def distance(query: np.ndarray, reference: np.ndarray) -> float:
    return float(nearest_pixels(PixelVectors.of(query[None]), PixelVectors.of(reference[None]), 1)[0][0, 0])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 16, 28, 32, 64])
def test_altered_copies_are_near(size: int, channels: int) -> None:
    """A mirrored, brighter or shifted copy is far nearer than another image, at every size."""
    image, other = draw(2, size, channels)
    apart = distance(image, other)
    assert distance(image, image) == 0.0
    assert distance(image[:, ::-1], image) < 0.01 * apart
    assert distance(image + 8, image) < 0.01 * apart
    if size >= 16:
        for rows, columns in ((2, 2), (-2, 1), (0, -1)):
            moved = np.roll(np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge"), (rows, columns), axis=(0, 1))
            assert distance(moved[2:-2, 2:-2], image) < 0.5 * apart


def test_what_is_no_copy_is_far() -> None:
    """Transposed, far shifted and half replaced pictures are other pictures; one upside down is the same."""
    image, other = draw(2)
    half = np.concatenate([image[:16], other[16:]])
    for changed in (image.transpose(1, 0, 2), np.roll(image, 10, axis=1), half):
        assert distance(changed, image) > 0.5 * distance(other, image)
    assert distance(image[::-1], image) < 0.01 * distance(other, image)


def test_mirroring_and_symmetry() -> None:
    """Mirroring all queries changes no distance."""
    images = PixelVectors.of(draw(40))
    distances, indices = nearest_pixels(images, images, 5)
    mirrored = nearest_pixels(PixelVectors.of(draw(40)[:, :, ::-1]), images, 5)
    np.testing.assert_allclose(mirrored[0], distances, rtol=1e-3, atol=0.05)
    assert (indices[:, 0] == np.arange(40)).all()
    assert (mirrored[1][:, 0] == np.arange(40)).all()
    assert (np.diff(distances, axis=1) >= 0).all()
    assert distances.dtype == np.float32
    assert indices.dtype == np.int64


def test_blocks() -> None:
    """An image's vectors and neighbours do not depend on the images beside it."""
    images = draw(1100, 16, 1)
    vectors, first = PixelVectors.of(images), PixelVectors.of(images[1020:1030])
    assert (vectors.pictures[1020:1030] == first.pictures).all()
    np.testing.assert_allclose(vectors.spectra[1020:1030], first.spectra, rtol=1e-5, atol=1e-4)
    rows = np.array([3, 70, 1099])
    distances, indices = nearest_pixels(vectors, vectors, 4)
    few_distances, few_indices = nearest_pixels(vectors[rows], vectors, 4)
    np.testing.assert_allclose(few_distances, distances[rows], rtol=1e-4, atol=0.05)
    assert (few_indices == indices[rows]).all()


def test_few_references() -> None:
    """Fewer neighbours come where there are fewer images than were asked for."""
    images = PixelVectors.of(draw(3))
    distances, indices = nearest_pixels(images, images, 11)
    assert distances.shape == indices.shape == (3, 3)
    assert len(images) == 3


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 2), np.uint8),
        np.zeros((0, 8, 8, 1), np.uint8),
        np.zeros((2, 8, 8, 3)),
    ],
)
def test_wrong_images(images: np.ndarray) -> None:
    """Other shapes and dtypes are refused."""
    with pytest.raises(ValueError, match="expected"):
        PixelVectors.of(images)


def test_read_only_memory_is_accepted() -> None:
    """A dataset mapped from a file cannot be written to; the same vectors come of it, without a warning."""
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    wanted = PixelVectors.of(images).spectra
    images.setflags(write=False)
    np.testing.assert_array_equal(PixelVectors.of(images).spectra, wanted)
