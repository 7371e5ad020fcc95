"""The choices of few images, and where whole sets come from."""

import numpy as np
import pytest
from quality.data import RARE_CLASS, Labelled, keyed, load, subset

from gan.errors import DatasetError
from gan.usefulness.rare_class import reduce_class


def rows_in(part, whole):
    """Where the images of a part are in the whole."""
    return [int(np.flatnonzero((whole.images == image).all(axis=(1, 2, 3)))[0]) for image in part.images]


def test_five_hundred_are_the_beginning_of_the_keyed_order(data):
    few = subset(data, "500")
    assert rows_in(few.train, data.train) == keyed(1000)[:500].tolist()
    assert few.test is data.test
    assert few.num_classes == 10


def test_one_class_has_fifty_images_and_is_judged_by_its_own_holdout(data):
    one = subset(data, "one-class")
    assert (len(one.train), len(one.test), one.num_classes) == (50, 20, 0)
    assert not one.train.labels.any()
    assert not one.test.labels.any()
    assert len(set(rows_in(one.train, data.train))) == 50


def test_the_generator_sees_no_image_that_the_comparison_leaves_out(data):
    rare = subset(data, "rare")
    assert np.bincount(rare.complete.labels).tolist() == [50] * 10
    assert np.bincount(rare.train.labels).tolist() == [50] * RARE_CLASS + [20] + [50] * (9 - RARE_CLASS)
    kept = reduce_class(rare.complete.labels, RARE_CLASS, 20)
    np.testing.assert_array_equal(rare.train.images, rare.complete.images[kept])


def test_everything_is_everything(data):
    assert subset(data, "all") is data


def test_a_digest_names_images_labels_and_their_order(data):
    digests = {data.train.digest, data.test.digest, data.train.take(np.arange(1000)[::-1]).digest}
    digests.add(Labelled(data.train.images, data.train.labels * 0).digest)
    assert len(digests) == 4
    assert data.train.take(np.arange(1000)).digest == data.train.digest


def test_a_kept_set_needs_no_source(data, tmp_path):
    (tmp_path / "data").mkdir()
    arrays = {f"{split}_{part}": getattr(getattr(data, split), part) for split in ("train", "test") for part in PARTS}
    np.savez_compressed(tmp_path / "data" / "noise-32.npz", **arrays)
    found = load("noise", tmp_path, None, 32)
    assert (found.train.digest, found.test.digest) == (data.train.digest, data.test.digest)
    assert found.num_classes == 10


PARTS = ("images", "labels")


def test_a_source_is_prepared_at_32_pixels_by_its_own_splits(data, tmp_path):
    from gan.data.pixels.png import encode_png

    for split in ("train", "test"):
        for index, image in enumerate(getattr(data, split).images[:40]):
            folder = tmp_path / "source" / "noise" / split / f"class{index % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{index:03}.png").write_bytes(encode_png(image))
    found = load("noise", tmp_path / "out", tmp_path / "source", 32)
    assert found.train.images.shape == found.test.images.shape == (40, 32, 32, 1)
    assert found.num_classes == 2
    assert [path.name for path in (tmp_path / "out" / "data").iterdir()] == ["noise-32.npz"]


def test_a_set_that_is_nowhere_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"noise is neither at .* nor in None"):
        load("noise", tmp_path, None, 32)
