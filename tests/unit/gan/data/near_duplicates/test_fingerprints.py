"""What is kept of an image, and files of it that anybody may have written."""

import hashlib

import numpy as np
import pytest

from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.errors import InputError

RNG = np.random.default_rng(0)


def images(count=5, side=16, channels=1):
    return RNG.integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def test_a_digest_is_the_beginning_of_the_pixels_sha256():
    drawn = images(3, channels=3)
    found = Fingerprints.of(drawn)
    assert found.digests.shape == (3, 2)
    for image, digest in zip(drawn, found.digests, strict=True):
        assert digest.astype("<u8").tobytes() == hashlib.sha256(image.tobytes()).digest()[:16]


def test_pictures_of_small_images_are_the_images():
    drawn = images(side=28)
    assert np.array_equal(Fingerprints.of(drawn).pictures, drawn[..., 0])


def test_larger_images_are_halved_and_colours_weighed():
    drawn = np.zeros((1, 64, 128, 3), np.uint8)
    drawn[..., 0], drawn[:, ::2, :, 1] = 100, 200
    # 0.299 * 100 + 0.587 * (200 or 0)
    assert np.unique(Fingerprints.of(drawn).pictures).tolist() == [89]
    assert Fingerprints.of(drawn).pictures.shape == (1, 32, 32)
    grey = np.repeat(images(side=8), 3, axis=3)
    assert np.array_equal(Fingerprints.of(grey).pictures, grey[..., 0])


@pytest.mark.parametrize("wrong", [images()[..., 0], images(channels=2), images().astype(np.int64), images(side=3)])
def test_other_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Fingerprints.of(wrong)


def test_blocks_are_joined_and_rows_taken():
    drawn = images(7)
    joined = Fingerprints.join([Fingerprints.of(drawn[:4]), Fingerprints.of(drawn[4:])])
    assert np.array_equal(joined.digests, Fingerprints.of(drawn).digests)
    assert np.array_equal(joined.take(np.array([5, 1])).pictures, drawn[[5, 1], ..., 0])


def test_they_come_back_from_a_file_whose_bytes_are_the_same_again(tmp_path):
    found = Fingerprints.of(images(9))
    for name in ("a.npz", "b"):
        found.write(tmp_path / name)
    again = Fingerprints.read(tmp_path / "a.npz")
    assert np.array_equal(again.digests, found.digests)
    assert np.array_equal(again.pictures, found.pictures)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"digests": None},
        {"pictures": None},
        {"digests": np.zeros((4, 2))},
        {"digests": np.zeros((3, 2), np.uint64)},
        {"digests": np.zeros(8, np.uint64)},
        {"digests": np.array([object()])},
        {"pictures": np.zeros((4, 33, 33), np.uint8)},
        {"pictures": np.zeros((4, 0, 16), np.uint8)},
        {"pictures": np.zeros((4, 16, 16))},
        {"pictures": np.zeros((4, 256), np.uint8)},
    ],
    ids=lambda changes: str({name: None if value is None else value.shape for name, value in changes.items()}),
)
def test_a_file_that_says_something_else_is_refused(tmp_path, changes):
    arrays = {"digests": np.zeros((4, 2), np.uint64), "pictures": np.zeros((4, 16, 16), np.uint8)} | changes
    np.savez(tmp_path / "f.npz", **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(InputError, match="fingerprints"):
        Fingerprints.read(tmp_path / "f.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x93NUMPY"])
def test_a_file_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(InputError, match="fingerprints"):
        Fingerprints.read(tmp_path / "f.npz")


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="fingerprints"):
        Fingerprints.read(tmp_path / "f.npz")
