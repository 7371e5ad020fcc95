"""Duplicates that were planted are found, and honest images are not called so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.data.near_duplicates.near_threshold import LEVEL, near_threshold
from gan.release.duplicates import (
    EXACT,
    EXACT_EARLIER,
    NEAR,
    NEAR_EARLIER,
    REASONS,
    find_duplicates,
)


@pytest.fixture(scope="module")
def prints(digits):
    return Fingerprints.of(digits[0])


def reasons(found):
    return {row: REASONS[reason] for row, reason in zip(found.rows.tolist(), found.reasons.tolist(), strict=True)}


@given(st.lists(st.integers(0, 5), max_size=40), st.lists(st.integers(0, 5), max_size=10))
def test_exact_duplicates_are_those_of_a_loop(kinds, before):
    palette = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)
    given_, earlier = (Fingerprints.of(palette[np.array(each, dtype=np.int64)]) for each in (kinds, before))
    found = find_duplicates(given_, [earlier] if before else [])
    expected = {}
    for row, kind in enumerate(kinds):
        if kind in before:
            expected[row] = EXACT_EARLIER
        elif kind in kinds[:row]:
            expected[row] = EXACT
    assert reasons(found) == expected
    for row, release, other in zip(found.rows, found.releases, found.others, strict=True):
        assert (before if release == 0 else kinds)[other] == kinds[row]
        assert release == 0 or other < row


@settings(max_examples=20)
@given(st.permutations(range(30)))
def test_how_many_equal_images_go_does_not_depend_on_their_order(order):
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)
    images[20:] = images[:10]
    found = find_duplicates(Fingerprints.of(images[list(order)]), threshold=1.0)
    assert len(found) == 10
    kinds = np.arange(30) % 20
    assert len(set(kinds[np.delete(order, found.rows)].tolist())) == 20
    assert find_duplicates(Fingerprints.of(images[list(order)]), threshold=1.0).rows.tolist() == found.rows.tolist()


def test_pairs_do_not_depend_on_the_order(prints):
    order = np.random.default_rng(1).permutation(len(prints))
    shuffled = prints.take(order)
    pairs = []
    for each, names in ((prints, np.arange(len(prints))), (shuffled, order)):
        found = find_duplicates(each, threshold=16.0)
        pairs.append(
            {frozenset(pair) for pair in zip(names[found.rows].tolist(), names[found.others].tolist(), strict=True)}
        )
    assert len(pairs[0]) == 3
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize("name", ["shifted", "recompressed", "noised", "brighter", "shifted and recompressed"])
def test_altered_copies_go_and_the_earlier_row_stays(digits, prints, alterations, name):
    images = digits[0]
    copies = np.arange(40, 76)
    drawn = np.concatenate([images, alterations[name](images[copies])])
    threshold = near_threshold(prints, len(drawn))
    found = find_duplicates(Fingerprints.of(drawn), threshold=threshold)
    others = dict(zip(found.rows.tolist(), found.others.tolist(), strict=True))
    assert {row: others.get(row) for row in range(1797, 1833)} == dict(zip(range(1797, 1833), copies, strict=True))
    assert found.counts == {EXACT: 0, NEAR: len(found), EXACT_EARLIER: 0, NEAR_EARLIER: 0}
    assert len(found) == 36
    assert found.distances.max() <= threshold


def test_what_an_earlier_release_holds_goes(digits, alterations):
    images = digits[0]
    drawn, before, other = images[:800].copy(), images[800:1200].copy(), images[1200:1600].copy()
    drawn[[10, 700]] = before[[3, 399]]
    drawn[[20, 600]] = alterations["shifted and recompressed"](other[[5, 6]])
    drawn[30] = drawn[29]
    threshold = near_threshold(Fingerprints.of(images), 1600)
    found = find_duplicates(*_prints(drawn, before, other), threshold=threshold)
    assert reasons(found) == {10: EXACT_EARLIER, 700: EXACT_EARLIER, 20: NEAR_EARLIER, 600: NEAR_EARLIER, 30: EXACT}
    assert found.releases.tolist() == [0, 1, -1, 1, 0]
    assert found.others.tolist() == [3, 5, 29, 6, 399]


def _prints(drawn, *earlier):
    return Fingerprints.of(drawn), [Fingerprints.of(each) for each in earlier]


def test_after_a_redraw_the_new_rows_alone_are_looked_at(digits, prints, alterations):
    """What is drawn instead of a duplicate may repeat a row before it or behind it, or an earlier release."""
    images, threshold = digits[0], near_threshold(prints, 1797)
    drawn, before = images[:900].copy(), images[900:1200].copy()
    assert len(find_duplicates(*_prints(drawn, before), threshold=threshold)) == 0
    again = np.array([30, 40, 50, 60])
    drawn[again] = np.concatenate(
        [alterations["shifted"](drawn[[7, 800]]), alterations["shifted"](before[:1]), images[1300:1301]]
    )
    whole, part = (
        find_duplicates(*_prints(drawn, before), threshold=threshold, drawn_again=rows) for rows in (None, again)
    )
    assert reasons(part) == reasons(whole) == {30: NEAR, 800: NEAR, 50: NEAR_EARLIER}
    assert part.others.tolist() == whole.others.tolist() == [7, 0, 40]
    nothing = find_duplicates(*_prints(drawn, before), threshold=threshold, drawn_again=again[:0])
    assert len(nothing) == 0


def test_pictures_of_another_size_are_compared_by_digests_alone(digits):
    drawn = digits[0][:50]
    other = np.zeros((5, 8, 8, 1), np.uint8)
    assert len(find_duplicates(*_prints(drawn, other, drawn[:2]), threshold=10.0)) == 2


def test_a_collapsed_class_leaves_one_image():
    """All in one bucket, of which a window alone is looked at: what is left is looked at again."""
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (16, 16, 1))
    drawn = (one + rng.integers(-1, 2, (400, 16, 16, 1))).clip(0, 255).astype(np.uint8)
    found = find_duplicates(Fingerprints.of(drawn), threshold=8.0)
    assert found.rows.tolist() == list(range(1, 400))


@pytest.mark.slow
def test_honest_digits_are_no_duplicates(prints):
    """Real digits all differ. Half of them sets the threshold, the other half is looked at, 50 times."""
    false, drawn = 0, 0
    for seed in range(50):
        order = np.random.default_rng(seed).permutation(1797)
        threshold = near_threshold(prints.take(order[:898]), 899)
        found = find_duplicates(prints.take(order[898:]), threshold=threshold)
        assert found.counts[EXACT] == 0
        false, drawn = false + len(found), drawn + 899
    print(f"of {drawn:,} honest images {false} were called duplicates: {false / drawn:.3%}, level {LEVEL:.1%}")  # noqa: T201
    assert false / drawn <= LEVEL


def test_wrong_input(prints):
    for threshold in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="threshold"):
            find_duplicates(prints, threshold=threshold)
    assert len(find_duplicates(prints.take(np.arange(0)), [prints], threshold=3.0)) == 0
    assert len(find_duplicates(prints, [prints.take(np.arange(0))], threshold=3.0)) == 0
