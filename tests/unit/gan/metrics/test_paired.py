"""Two scores against one set of real images: whose is lower, and by more than chance."""

import numpy as np
import pytest

from gan.errors import InputError
from gan.metrics.fid_interval import fid_influences
from gan.metrics.kid import kid
from gan.metrics.paired import Influences, generalisation_gap, kid_influences, paired_difference

SCORES = {"kid": kid_influences, "fid": fid_influences}
DIMENSIONS = 6


def images(count, seed, shift):
    features: np.ndarray = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)) + shift
    return features


def test_the_value_is_kid_of_all_images():
    a, b = images(40, 0, 0.3), images(50, 1, 0.0)
    assert kid_influences(a, b).value == pytest.approx(kid(a, b, subset_size=1000).mean, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_an_influence_is_what_the_score_loses_without_the_image(seed):
    a, b = images(60, seed, 0.5), images(70, 100 + seed, 0.0)
    found = kid_influences(a, b)
    without_a = [kid_influences(np.delete(a, i, 0), b).value for i in range(len(a))]
    without_b = [kid_influences(a, np.delete(b, i, 0)).value for i in range(len(b))]
    for influences, without in ((found.generated, without_a), (found.reference, without_b)):
        lost = (len(without) - 1) * (found.value - np.array(without))
        slope, _ = np.polyfit(influences, lost, 1)
        assert slope == pytest.approx(1.0, abs=0.03)  # a U-statistic loses (n - 1) / (n - 2) of what lies within
        assert np.corrcoef(influences, lost)[0, 1] > 0.999


def test_blocks_change_nothing(monkeypatch):
    a, b = images(50, 0, 0.2), images(33, 1, 0.0)
    whole = kid_influences(a, b)
    monkeypatch.setattr("gan.metrics.paired._BLOCK_ROWS", 7)
    pieces = kid_influences(a, b)
    assert pieces.value == pytest.approx(whole.value)
    assert pieces.generated == pytest.approx(whole.generated)
    assert pieces.reference == pytest.approx(whole.reference)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("shifts", [(0.5, 0.5), (0.5, 0.6)], ids=["equal", "not equal"])
def test_the_interval_holds_the_difference_as_often_as_it_says(score, shifts):
    tries, count = 200, 150
    differences = []
    for index in range(tries):
        real = images(count, 3 * index, 0.0)
        ours, theirs = (SCORES[score](images(count, 3 * index + 1 + k, shift), real) for k, shift in enumerate(shifts))
        differences.append(paired_difference(ours, theirs))
    # by symmetry none where both are of one distribution, else the mean of many: of these very tries, but unpaired
    truth = 0.0 if shifts[0] == shifts[1] else float(np.mean([each.value for each in differences]))
    inside = np.mean([each.low <= truth <= each.high for each in differences])
    assert 0.9 <= inside <= 0.995  # 0.95 with a standard error of 0.015; the jackknife errs on the wide side


def test_what_both_owe_to_the_same_real_images_cancels():
    real = images(100, 0, 0.0)
    ours, theirs = (kid_influences(images(6000, seed, 1.0), real) for seed in (1, 2))
    other = kid_influences(images(6000, 2, 1.0), images(100, 3, 0.0))
    paired, apart = paired_difference(ours, theirs), paired_difference(ours, other)
    assert paired.high - paired.low < (apart.high - apart.low) / 2


@pytest.mark.parametrize("held_out", [20, 50])
def test_the_interval_holds_with_few_real_images(held_out):
    """A holdout is smaller than what is generated."""
    tries, inside = 200, 0
    for index in range(tries):
        real = images(held_out, 3 * index, 0.0)
        ours, theirs = (kid_influences(images(200, 3 * index + 1 + k, 0.5), real) for k in range(2))
        found = paired_difference(ours, theirs)
        inside += found.low <= 0.0 <= found.high
    assert 0.9 <= inside / tries <= 0.995


def gap(drawn, training, holdout, score="kid"):
    return generalisation_gap(SCORES[score](drawn, training), SCORES[score](drawn, holdout))


@pytest.mark.parametrize(("score", "training", "least"), [("kid", 150, 0.9), ("fid", 40, 0.93)])
def test_the_gap_is_0_as_often_as_it_says_where_nothing_is_learnt_by_heart(score, training, least):
    """Of a generator that is far off, too: its distance from the distribution cancels. FID's is of equally many."""
    tries, inside, gaps = 200, 0, []
    for index in range(tries):
        sets = (images(150, 3 * index, 0.5), images(training, 3 * index + 1, 0.0), images(40, 3 * index + 2, 0.0))
        found = gap(*sets, score)
        inside += found.low <= 0.0 <= found.high
        gaps.append(found.value)
    assert least <= inside / tries <= 0.995
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(tries)  # no bias


@pytest.mark.parametrize("score", SCORES)
def test_the_gap_of_what_is_learnt_by_heart_lies_below_0(score):
    rng = np.random.default_rng(0)
    training, holdout = rng.standard_normal((2, 100, 200))
    assert gap(training + 0.1 * rng.standard_normal(training.shape), training, holdout, score).high < 0.0


def test_the_gap_of_four_images_by_hand():
    """Kernels (xy + 1)^3 of the numbers 0 and 1: 1 with a 0, and 8 of two 1."""
    drawn, training, holdout = (np.array(each, dtype=float)[:, None] for each in ([0, 1], [1, 1], [0, 0]))
    found = gap(drawn, training, holdout)
    # within training 8, within holdout 1; to training (1 + 8) / 2, to holdout 1
    assert found.value == (8 - 2 * 4.5) - (1 - 2 * 1)
    # only the generated images differ: the influences 2 (k(x, holdout) - k(x, training)) are 0 and -14
    half = 1.959964 * np.sqrt(98 / 2)
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))


def test_a_gap_is_of_the_same_generated_images():
    with pytest.raises(ValueError, match="scores of 5 and 6 generated images have no gap"):
        generalisation_gap(
            kid_influences(images(5, 0, 0), images(9, 1, 0)), kid_influences(images(6, 0, 0), images(9, 1, 0))
        )


def test_other_numbers_of_images_are_not_paired():
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_difference(
            kid_influences(images(10, 0, 0), images(9, 1, 0)), kid_influences(images(9, 0, 0), images(9, 1, 0))
        )


def test_they_come_back_from_a_file(tmp_path):
    found = kid_influences(images(20, 0, 0.2), images(30, 1, 0.0))
    found.write(tmp_path / "influences.npz")
    again = Influences.read(tmp_path / "influences.npz")
    assert (again.value, again.num_generated, again.num_reference) == (found.value, 20, 30)
    assert again.generated == pytest.approx(found.generated, rel=1e-6)
    assert again.reference == pytest.approx(found.reference, rel=1e-6)


def hostile(path, **changes):
    arrays = {"value": 0.1, "generated": np.ones(4), "reference": np.ones(4), "num_generated": 4, "num_reference": 4}
    np.savez(path, **{name: np.asarray(value) for name, value in (arrays | changes).items() if value is not None})


@pytest.mark.parametrize(
    "changes",
    [
        {"value": np.nan},
        {"value": None},
        {"value": "a"},
        {"generated": np.array([1.0, np.inf])},
        {"generated": np.ones((2, 2))},
        {"reference": np.ones(5)},
        {"reference": np.array([object()])},
        {"num_generated": [1, 2]},
        {"num_generated": np.inf},
        {"generated": np.zeros(2**25)},
    ],
    ids=[
        "nan",
        "no value",
        "a word",
        "infinite",
        "a table",
        "more than there are",
        "objects",
        "two numbers",
        "no number",
        "too large",
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, changes):
    hostile(tmp_path / "influences.npz", **changes)
    with pytest.raises(InputError, match="influences"):
        Influences.read(tmp_path / "influences.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x93NUMPY"])
def test_a_file_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "influences.npz").write_bytes(content)
    with pytest.raises(InputError, match="influences"):
        Influences.read(tmp_path / "influences.npz")
