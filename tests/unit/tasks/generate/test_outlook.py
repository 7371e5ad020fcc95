"""The time left is that of all that is to come, and what was not needed is not waited for."""

import numpy as np
import pytest
import torch

from gan.configuration.config import ReleaseConfig
from gan.data.store.resident import Resident
from gan.errors import InputError
from gan.release.shard import Marks
from tasks.generate import outlook as looking
from tasks.generate.drawing import Probe
from tasks.generate.filling import AGAIN
from tasks.generate.outlook import Outlook, look_ahead
from tasks.generate.repeats import SEARCHING, Repeats
from tasks.generate.selecting import Selecting
from tasks.runtime.progress import Reporter


class Shown:
    """Seconds that were shown to come behind a piece."""

    def __init__(self):
        self.after = []

    def __call__(self, description, position):
        self.after.append((description, position.after))


def test_what_is_still_to_come_counts():
    shown = Shown()
    outlook = Outlook(Reporter("drawing", 10, "images", shown))
    for what, seconds in ((SEARCHING, 4.0), (AGAIN, 2.0), (SEARCHING, 4.0), ("checking", 7.0)):
        outlook.expect(what, seconds)
    for what in ("generating", SEARCHING, AGAIN, SEARCHING, "checking", "checking what was rejected"):
        outlook.begin(what, 10)(5)
    assert [seconds for _, seconds in shown.after] == [17.0, 13.0, 11.0, 7.0, 0.0, 0.0]


def test_where_nothing_repeats_nothing_is_drawn_again():
    shown = Shown()
    outlook = Outlook(Reporter("drawing", 10, "images", shown))
    for what, seconds in ((SEARCHING, 4.0), (AGAIN, 2.0), (SEARCHING, 4.0), ("checking", 7.0)):
        outlook.expect(what, seconds)
    for what in (SEARCHING, "checking"):
        outlook.begin(what, 10)(5)
    assert [seconds for _, seconds in shown.after] == [13.0, 0.0]


class Judging:
    """What of a judge is looked at."""

    real = None

    def __init__(self, threshold):
        self.selecting = Selecting(find=Repeats((8, 8), [], threshold, lambda what, total: lambda done: None))


def program(rows):
    drawn = np.random.default_rng(int(rows[0, 0])).integers(0, 256, (len(rows), 8, 8, 1), dtype=np.uint8)
    return torch.from_numpy(drawn)


def expected(threshold, count):
    shown = Shown()
    outlook = Outlook(Reporter("drawing", 10, "images", shown))
    probe = Probe.of(program, np.arange(10), np.zeros(10, np.int64))
    look_ahead(outlook, Judging(threshold), program, probe, Marks(), count, ReleaseConfig())
    outlook.begin("generating", 10)(5)
    return shown.after[0][1]


def test_of_a_large_release_the_searches_are_measured(monkeypatch):
    monkeypatch.setattr(looking, "_SEARCHED", 500)
    assert expected(2.0, 10**6) > expected(2.0, 10**5) > 0.0
    assert expected(2.0, 10**6) > expected(0.0, 10**6) > 0.0  # it is published in any case
    assert expected(2.0, 10**3) == 0.0


@pytest.mark.parametrize(
    ("repeats", "shares"),
    [
        (0.0, [0.00995]),  # few images show none, so one is expected
        (100.0, [0.6321]),
        (3000.0, [1.0, 0.1647]),  # and of those that are drawn instead, 18
        (10.0**6, [1.0, 1.0, 1.0]),  # a generator of one image: as often as it may be
    ],
)
def test_how_often_repeats_are_drawn_again(repeats, shares):
    config = ReleaseConfig(shard_images=10_000, max_attempts=4)
    assert list(looking._rounds(repeats, 10**6, config)) == pytest.approx(shares, rel=1e-3)


def test_a_classifier_is_expected_where_all_images_have_a_class():
    images, labels = np.zeros((20, 8, 8, 1), np.uint8), np.arange(20) % 2
    assert looking._training(Resident(images, labels), 2, "cpu") > 0.0
    labels[3] = -1
    with pytest.raises(InputError, match="1 of 20 real images have no label"):  # what is suppressed there
        looking._training(Resident(images, labels), 2, "cpu")
