"""Features that come in pieces, and lie on disk between two evaluations."""

from pathlib import Path

import numpy as np
import pytest

from gan.metrics import feature_set
from gan.metrics.feature_set import FeatureSet, collect
from gan.metrics.frechet import moments


@pytest.fixture
def few_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_set, "KEPT", 10)


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


def assert_same(found: FeatureSet, wanted: np.ndarray, kept: int) -> None:
    mean, cov = moments(wanted)
    np.testing.assert_allclose(found.moments.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(found.moments.cov, cov, rtol=1e-9)
    np.testing.assert_array_equal(found.features, wanted[:kept])
    assert len(found) == len(wanted)


@pytest.mark.parametrize("cuts", [[], [1], [3, 3, 9], [10], [24]])
def test_pieces_are_the_whole(few_kept: None, cuts: list[int]) -> None:
    """All rows count in the moments; the first ten are kept."""
    seen: list[int] = []
    whole = rows(25)
    assert_same(collect(np.split(whole, cuts), seen.append), whole, 10)
    assert seen == [len(part) for part in (whole[:cut] for cut in [*cuts, 25])]


def test_head(few_kept: None) -> None:
    whole = rows(25)
    found = collect([whole])
    assert found.head(25) is found
    assert_same(found.head(7), whole[:7], 7)
    with pytest.raises(ValueError, match="the first 11 of 25 features are not kept, only 10"):
        found.head(11)


def test_to_disk_and_back(tmp_path: Path, few_kept: None) -> None:
    found = collect([rows(25)])
    found.save(tmp_path)
    back = FeatureSet.load(tmp_path)
    assert_same(back, rows(25), 10)
    assert isinstance(back.features, np.memmap)


@pytest.mark.parametrize("name", ["features.npy", "moments.npz"])
@pytest.mark.parametrize("left", [0, 40, -20])
def test_a_file_cut_short_is_seen(tmp_path: Path, name: str, left: int) -> None:
    collect([rows(25)]).save(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises((OSError, ValueError, EOFError)):
        FeatureSet.load(tmp_path)


def test_files_of_two_sets_are_seen(tmp_path: Path) -> None:
    collect([rows(25)]).save(tmp_path)
    np.save(tmp_path / "features.npy", rows(24))
    with pytest.raises(ValueError, match="holds 24 features of 25"):
        FeatureSet.load(tmp_path)


def test_nothing_came() -> None:
    with pytest.raises(ValueError, match="no features came"):
        collect([])
