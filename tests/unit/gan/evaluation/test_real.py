"""Features of real images: made once, whatever happens in between."""

from pathlib import Path

import numpy as np
import pytest

from gan.evaluation import real as module
from gan.evaluation.real import RealFeatures, RealImages, chosen_rows

from .conftest import Counting


@pytest.fixture
def features(real: RealImages, extraction: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RealFeatures:
    monkeypatch.setattr(module, "PART", 16)
    return RealFeatures(real, extraction, tmp_path, 3)


def nothing(_: int) -> None:
    """Told of no progress."""


def test_the_choice_is_keyed_and_grows_at_its_end() -> None:
    assert sorted(chosen_rows(0, 7, 100).tolist()) == list(range(7))
    few, more = chosen_rows(0, 100, 20).tolist(), chosen_rows(0, 100, 30).tolist()
    assert more[:20] == few
    assert len(set(more)) == 30
    assert few != chosen_rows(1, 100, 20).tolist()


def test_features_follow_the_rows(features: RealFeatures, real: RealImages) -> None:
    found = features.of("train", 50, nothing)
    wanted = real.splits["train"].images[features.rows("train", 50)].reshape(50, 16)
    assert found.features.shape[0] == 50
    resized = found.features.reshape(50, 4, 4)
    np.testing.assert_array_equal(resized.reshape(50, 16), wanted)
    assert len(found) == 50


def test_fewer_images_come_from_the_features_of_more(features: RealFeatures, extraction: Counting) -> None:
    whole = features.of("train", 60, nothing)
    assert features.missing("train", 20) == 0
    few = features.of("train", 20, nothing)
    np.testing.assert_array_equal(few.features, whole.features[:20])
    np.testing.assert_allclose(few.moments.mean, whole.features[:20].mean(axis=0), rtol=1e-6)
    assert extraction.passed == 60
    assert features.missing("test", 20) == 20


@pytest.mark.parametrize("first", [20, 22, 2])
def test_more_images_go_on_from_the_features_of_fewer(
    features: RealFeatures, extraction: Counting, tmp_path: Path, first: int
) -> None:
    """Whole batches of them are taken over; the result is that of a single pass."""
    extraction.extractor.batch_size = 4
    features.of("train", first, nothing)
    kept = first // 4 * 4
    assert features.missing("train", 60) == 60 - kept
    told: list[int] = []
    found = features.of("train", 60, told.append)
    assert extraction.passed == first + 60 - kept
    assert told[-1] == 60 - kept, "of the images that are missing"
    again = RealFeatures(features.real, extraction, tmp_path / "elsewhere", 3).of("train", 60, nothing)
    np.testing.assert_array_equal(found.features, again.features)
    np.testing.assert_allclose(found.moments.mean, again.moments.mean, rtol=1e-12)
    np.testing.assert_allclose(found.moments.cov, again.moments.cov, rtol=1e-9, atol=1e-9)
    assert len(found) == 60


def test_what_fewer_images_left_is_not_trusted_when_it_is_cut_short(
    features: RealFeatures, extraction: Counting, tmp_path: Path
) -> None:
    features.of("train", 20, nothing)
    (entry,) = (tmp_path / "features" / "abc").iterdir()
    entry.joinpath("features.npy").write_bytes(b"")
    assert features.missing("train", 60) == 60
    assert len(features.of("train", 60, nothing)) == 60
    assert extraction.passed == 80


def test_a_killed_pass_goes_on_where_it_was(
    features: RealFeatures, extraction: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that were finished are not passed again; progress counts them; in the end no part is left."""
    whole, passed = extraction.of_images, 0

    def killed(*arguments):  # type: ignore[no-untyped-def]
        nonlocal passed
        passed += 1
        if passed == 3:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(extraction, "of_images", killed)
    with pytest.raises(KeyboardInterrupt):
        features.of("train", 60, nothing)
    assert extraction.passed == 32
    assert features.missing("train", 60) == 28
    told: list[int] = []
    found = features.of("train", 60, told.append)
    assert extraction.passed == 60
    assert told[-1] == 28, "of the images that are missing"
    assert len(found.features) == 60
    assert not [path for path in (tmp_path / "features" / "abc").iterdir() if path.name.startswith(".")]


def test_a_part_cut_short_is_made_anew(features: RealFeatures, extraction: Counting, tmp_path: Path) -> None:
    whole = features.of("train", 60, nothing).features.copy()
    (entry,) = (tmp_path / "features" / "abc").iterdir()
    entry.joinpath("features.npy").write_bytes(b"")
    folder = entry.with_name(f".{entry.name.replace('-60-', '-parts-')}")
    folder.mkdir()
    folder.joinpath("0-16.npy").write_bytes(b"\x93NUMPY")
    np.testing.assert_array_equal(features.of("train", 60, nothing).features, whole)
    assert extraction.passed == 120


@pytest.mark.parametrize("content", [b"PK\x03\x04 no archive", b"", b"\x93NUMPY\x01\x00\xff\xff{", b"no array"])
def test_a_part_that_is_no_array_is_made_again(features: RealFeatures, extraction: Counting, content: bytes) -> None:
    wanted = features.of("train", 40, nothing).features
    for folder in features.folder.iterdir():
        for file in folder.iterdir():
            file.write_bytes(content)
    np.testing.assert_array_equal(features.of("train", 40, nothing).features, wanted)
    assert extraction.passed == 80
