"""The search for repeats says how far it is, and is not made twice for the same images."""

import numpy as np

from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.release.duplicates import EXACT, NEAR, REASONS
from tasks.generate import repeats
from tasks.generate.repeats import Repeats, pack, unpack

RNG = np.random.default_rng(0)


def images(count):
    drawn = RNG.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    drawn[count - 2] = drawn[3]
    drawn[count - 1] = drawn[4] ^ 1
    return drawn


class Shown:
    """What a progress bar would show."""

    def __init__(self):
        self.begun, self.told = [], []

    def __call__(self, what, total):
        self.begun.append((what, total))
        return self.told.append


def test_packed_fingerprints_come_back():
    drawn = images(5)
    found, wanted = unpack(pack(drawn), (8, 8)), Fingerprints.of(drawn)
    assert np.array_equal(found.pictures, wanted.pictures)
    assert np.array_equal(found.digests, wanted.digests)


def test_how_far_it_is_is_told_up_to_the_end():
    drawn, shown = pack(images(50)), Shown()
    search = Repeats((8, 8), [unpack(pack(images(20)), (8, 8))], 2.0, shown)
    found = search(drawn)
    assert [REASONS[reason] for reason in found.reasons] == [EXACT, NEAR]
    assert search.rows(drawn, None) == [48, 49]
    assert shown.begun == [("looking for repeats", 100)]  # in the release and in the earlier one, once
    assert shown.told[0] == 0
    assert shown.told == sorted(shown.told)
    assert shown.told[-1] == 100


def test_other_images_are_searched_anew(monkeypatch):
    searches = []
    real = repeats.find_duplicates
    monkeypatch.setattr(
        repeats, "find_duplicates", lambda *given, **named: searches.append(given) or real(*given, **named)
    )
    search = Repeats((8, 8), [], 2.0, Shown())
    one, other = pack(images(50)), pack(images(50))
    assert search(one) is search(one.copy())
    assert search.rows(other, None) == [48, 49]
    assert len(searches) == 2


def test_only_what_was_drawn_again_is_looked_up():
    drawn, shown = images(50), Shown()
    search = Repeats((8, 8), [], 2.0, shown)
    rows = search(pack(drawn)).rows
    drawn[48:] = images(50)[:2]
    drawn[49] = drawn[7] ^ 1
    assert search.rows(pack(drawn), rows) == [49]
    assert shown.begun == [("looking for repeats", 50), ("looking for repeats", 2)]
    assert shown.told[-1] == 2
    assert Repeats((8, 8), [], 2.0, Shown()).rows(pack(drawn), None) == [49]


def test_repeats_among_many_are_as_many_pairs_more():
    """2 among 50: among 500 a hundred times as many pairs, and with 100 of an earlier release 1.4 times these."""
    drawn = images(50)
    assert Repeats((8, 8), [], 2.0, Shown()).forecast(drawn, 500).repeats == 200
    earlier = [unpack(pack(images(100)), (8, 8))]
    assert Repeats((8, 8), earlier, 2.0, Shown()).forecast(drawn, 500).repeats == 280
    assert Repeats((8, 8), [], 2.0, Shown()).forecast(drawn, 10**6).repeats == 10**6  # not more than there are
