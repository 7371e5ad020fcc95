"""Precision, recall, density and coverage against their definitions, on planted failures, and their intervals."""

import numpy as np
import pytest

from gan.metrics.manifold import ManifoldResult, manifold

NAMES = ("precision", "recall", "density", "coverage")
CLIPPED = ("clipped_density", "clipped_coverage")


def draw(count: int, seed: int, dimensions: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)


def values(result: ManifoldResult) -> list[float]:
    return [getattr(result, name).value for name in NAMES]


def by_definition(generated: np.ndarray, reference: np.ndarray, k: int) -> list[float]:
    """Kynkäänniemi et al. 2019, equation 2, and Naeem et al. 2020, equations 3 and 4, written as loops."""

    def distance(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.linalg.norm(x.astype(np.float64) - y))

    def radii(features: np.ndarray) -> list[float]:
        # the feature itself is first, at distance 0
        return [sorted(distance(x, y) for y in features)[k] for x in features]

    generated_radii, reference_radii = radii(generated), radii(reference)
    table = [[distance(x, y) for y in reference] for x in generated]
    pairs = [(i, j) for i in range(len(generated)) for j in range(len(reference))]
    in_reference = [(i, j) for i, j in pairs if table[i][j] <= reference_radii[j]]
    in_generated = [(i, j) for i, j in pairs if table[i][j] <= generated_radii[i]]
    return [
        len({i for i, _ in in_reference}) / len(generated),
        len({j for _, j in in_generated}) / len(reference),
        len(in_reference) / (k * len(generated)),
        len({j for _, j in in_reference}) / len(reference),
    ]


@pytest.mark.parametrize(("n", "m", "k"), [(60, 60, 5), (40, 70, 3), (70, 40, 1), (7, 9, 6)])
def test_equals_definition(n: int, m: int, k: int) -> None:
    """The four values are those of the papers' equations; each differs from the others here."""
    generated, reference = draw(n, 0, 6) * 0.8 + 0.4, draw(m, 1, 6)
    wanted = by_definition(generated, reference, k)
    assert values(manifold(generated, reference, k)) == pytest.approx(wanted, rel=1e-6)
    # swapping the sets swaps precision and recall
    assert values(manifold(reference, generated, k))[:2] == pytest.approx(wanted[1::-1], rel=1e-6)


def test_mode_collapse() -> None:
    """One of ten modes: what is generated is fine, but most of the reference is not reached."""
    centres = 20.0 * draw(10, 9)
    reference = draw(500, 0) + np.repeat(centres, 50, axis=0)
    result = manifold(draw(500, 1) + centres[0], reference)
    assert result.precision.low > 0.6
    assert result.recall.high < 0.2
    assert result.density.low > 0.6
    assert result.coverage.high < 0.2


def test_garbage_among_the_generated() -> None:
    """Half of what is generated is nothing: the other half still reaches the reference."""
    generated = np.concatenate([draw(500, 1), 40.0 + 5.0 * draw(500, 2)])
    result = manifold(generated, draw(500, 0))
    assert result.precision.high < 0.55
    assert result.density.high < 0.65
    assert result.recall.low > 0.75
    assert result.coverage.low > 0.9


def test_outliers_in_the_reference() -> None:
    """Ten far reference images of a thousand: balls take garbage in, which moves density and coverage far less."""
    outliers = np.concatenate([draw(990, 0), 8.0 * draw(10, 3)])
    garbage = np.concatenate([draw(500, 1), 3.0 + 1.5 * draw(500, 2)])
    clean, dirty = manifold(garbage, draw(990, 0)), manifold(garbage, outliers)
    gain = dirty.precision.value - clean.precision.value
    assert gain > 0.3
    assert dirty.density.value - clean.density.value < gain / 3
    assert abs(dirty.coverage.value - clean.coverage.value) < 0.02


def test_copies_of_the_reference() -> None:
    """Each image lies in its own ball and in as many others on average as balls have neighbours: edges count."""
    features = draw(200, 0)
    result = manifold(features.copy(), features, 4)
    assert values(result) == [1.0, 1.0, pytest.approx(5 / 4), 1.0]
    assert 0.95 < result.precision.low < result.precision.high == 1.0


def test_nothing_in_common() -> None:
    """All is 0, and no interval is a point."""
    result = manifold(draw(100, 0), draw(100, 1) + 50.0)
    assert values(result) == [0.0] * 4
    for name in NAMES:
        assert getattr(result, name).low == 0.0 < getattr(result, name).high < 0.06


def test_all_equal() -> None:
    """A generator that makes one image has balls of radius 0: it may lie among the reference but reaches nothing."""
    result = manifold(np.zeros((100, 16), np.float32), draw(100, 1))
    assert result.precision.value == 1.0
    assert result.recall.value == 0.0


def test_rotation_and_scale() -> None:
    """Neither turning, scaling nor moving both sets changes anything."""
    generated, reference = draw(300, 0).astype(np.float64), draw(300, 1).astype(np.float64) + 0.3
    turn, _ = np.linalg.qr(draw(16, 2).astype(np.float64))
    assert manifold(7.0 * generated @ turn + 100.0, 7.0 * reference @ turn + 100.0) == manifold(generated, reference)


def test_subset() -> None:
    """At most max_images of each set are compared, chosen by the seed; the result says how many."""
    generated, reference = draw(300, 0), draw(120, 1)
    result = manifold(generated, reference, max_images=150)
    assert (result.k, result.num_generated, result.num_reference) == (5, 150, 120)
    assert result == manifold(generated, reference, max_images=150)
    assert values(result) != values(manifold(generated, reference, max_images=150, seed=1))
    whole = manifold(generated, reference)
    assert (whole.num_generated, whole.num_reference) == (300, 120)
    assert values(whole) == values(manifold(generated, reference, seed=1))


@pytest.mark.parametrize(
    ("n", "m", "dimensions", "scale", "shift"), [(300, 300, 16, 1.0, 0.0), (200, 400, 32, 0.9, 0.3)]
)
def test_intervals_hold(n: int, m: int, dimensions: int, scale: float, shift: float) -> None:
    """Over fresh draws of both sets the intervals hold the mean score about as often as they say, and are no wider."""
    results = [
        manifold(draw(n, 2 * seed, dimensions) * scale + shift, draw(m, 2 * seed + 1, dimensions)) for seed in range(60)
    ]
    for name in NAMES:
        value, low, high = np.array([(e.value, e.low, e.high) for e in (getattr(r, name) for r in results)]).T
        assert ((low <= value.mean()) & (value.mean() <= high)).mean() >= 0.88
        assert 0.85 < (high - low).mean() / (2 * 1.96 * value.std(ddof=1)) < 1.5


@pytest.mark.parametrize(("n", "m", "bad", "shift"), [(300, 300, 120, 0.0), (200, 400, 0, 0.6), (400, 150, 200, 0.3)])
def test_clipped_intervals_hold(n: int, m: int, bad: int, shift: float) -> None:
    """The calibration by real images and the inverse are in them."""
    results = []
    for seed in range(60):
        good, garbage = draw(n - bad, 3 * seed) + shift, draw(bad, 3 * seed + 1) + 50.0
        results.append(manifold(np.concatenate([good, garbage]), draw(m, 3 * seed + 2)))
    for name in CLIPPED:
        value, low, high = np.array([(e.value, e.low, e.high) for e in (getattr(r, name) for r in results)]).T
        assert value.max() < 1.0
        assert ((low <= value.mean()) & (value.mean() <= high)).mean() >= 0.88
        assert 0.85 < (high - low).mean() / (2 * 1.96 * value.std(ddof=1)) < 1.5


def one_dimension(*numbers: float) -> np.ndarray:
    return np.array(numbers)[:, None]


def test_clipped_by_hand() -> None:
    """Balls of 0, 1, 2, 3 and 10 reach 1, 1, 1, 1 and 7, clipped 1 each, so that 10 lies in none of another."""
    reference = one_dimension(0, 1, 2, 3, 10)
    found = manifold(one_dimension(0.5, 2.5, 5.5, 30), reference, k=1)
    # of four images two lie in a clipped ball, and 5.5 in the outlier's unclipped one; of real images four of five do
    assert found.precision.value == 3 / 4
    assert found.clipped_density.value == pytest.approx((2 / 4) / (4 / 5))
    # one image in the ball of 0 alone: a fifth of the balls. Of m good images a ball holds none with 4 / (4 + m)
    few = manifold(one_dimension(-0.5, 30, 31, 32), reference, k=1)
    assert few.coverage.value == 1 / 5
    assert few.clipped_coverage.value == pytest.approx(1 / 4)
    # -0.5 and 4 are in the balls of 0, 3 and 10: more than the half that four good images would fill
    some = manifold(one_dimension(-0.5, 4, 31, 32), reference, k=1)
    assert some.coverage.value == 3 / 5
    assert some.clipped_coverage.value == 1.0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_clipped_scores_are_the_share_of_good_images(share: float) -> None:
    """They fall linearly where images are replaced by ones that are nowhere near; coverage does not."""
    good = round(500 * share)
    generated = np.concatenate([draw(good, 1), draw(500 - good, 2) + 50.0])
    found = manifold(generated, draw(500, 0))
    assert found.clipped_density.value == pytest.approx(share, abs=0.06)
    assert found.clipped_coverage.value == pytest.approx(share, abs=0.06)
    for name in CLIPPED:
        estimate = getattr(found, name)
        assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= 1.0
        assert estimate.low < estimate.high


def test_an_outlier_does_not_raise_clipped_density() -> None:
    """One real image far away has a ball in which all garbage lies."""
    garbage, outlier = draw(300, 2) + 8.0, np.full((1, 16), 30.0, np.float32)
    found = manifold(garbage, np.concatenate([draw(300, 0), outlier]))
    assert found.precision.value == 1.0
    assert found.density.value == pytest.approx(0.2)
    assert found.clipped_density.value == 0.0


def test_crowds_count_once() -> None:
    """Ten images on the spot of one: density follows the crowd, and coverage is content with a single image."""
    reference = draw(300, 0)
    found = manifold(np.repeat(reference[:30], 10, axis=0), reference)
    assert found.density.value > 1.0
    assert found.clipped_density.value <= 1.0
    assert found.clipped_coverage.value < 0.5


def test_refused() -> None:
    """k that reaches beyond a set is named with the sets; so are sets of different width, and subsets too small."""
    with pytest.raises(ValueError, match=r"k = 20 needs at least 21 images .* 30 generated and 20 reference"):
        manifold(draw(30, 0), draw(20, 1), k=20)
    with pytest.raises(ValueError, match="there are 5 generated and 5 reference"):
        manifold(draw(30, 0), draw(20, 1), max_images=5)
    with pytest.raises(ValueError, match="k = 0"):
        manifold(draw(30, 0), draw(20, 1), k=0)
    with pytest.raises(ValueError, match="expected"):
        manifold(draw(30, 0), draw(20, 1)[:, :4])
