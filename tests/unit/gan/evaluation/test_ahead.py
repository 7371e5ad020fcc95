"""Features made ahead: the first set is waited for, the others step back, and nothing is made twice."""

import threading
from pathlib import Path

import pytest

from gan.errors import WeightsError
from gan.evaluation import real as module
from gan.evaluation.ahead import Ahead
from gan.evaluation.real import RealFeatures, RealImages

from .conftest import Counting


@pytest.fixture
def features(real: RealImages, extraction: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RealFeatures:
    monkeypatch.setattr(module, "PART", 16)
    extraction.extractor.batch_size = 4
    return RealFeatures(real, extraction, tmp_path, 3)


def nothing(_: int) -> None:
    """Told of no progress."""


def wait_for_the_rest(ahead: Ahead) -> None:
    for thread in threading.enumerate():
        if thread.name == "features ahead":
            thread.join(60)


def test_all_that_is_wanted_is_made_once_the_first_while_it_is_waited_for(
    features: RealFeatures, extraction: Counting
) -> None:
    ahead = Ahead(features, [("train", 20), ("train", 60), ("test", 30)])
    with ahead.paused(nothing):
        assert features.missing("train", 20) == 0
        passed = extraction.passed
        assert features.of("train", 20, nothing).features.shape[0] == 20
        assert extraction.passed <= passed + 8, "what was under way is finished, no more"
    wait_for_the_rest(ahead)
    assert features.missing("train", 60) == features.missing("test", 30) == 0
    assert extraction.passed == 60 + 30


def test_who_waits_is_told_how_far_the_first_set_is(
    features: RealFeatures, extraction: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited, whole = threading.Event(), extraction.of_images

    def held_back(*arguments):  # type: ignore[no-untyped-def]
        waited.wait(60)
        return whole(*arguments)

    monkeypatch.setattr(extraction, "of_images", held_back)
    ahead, told = Ahead(features, [("train", 20)]), list[int]()
    threading.Timer(0.2, waited.set).start()
    with ahead.paused(told.append):
        pass
    assert told[-1] == 20


def test_what_fails_ahead_is_left_to_fail_where_it_is_wanted(
    features: RealFeatures, extraction: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_):  # type: ignore[no-untyped-def]
        raise WeightsError("no weights here")

    monkeypatch.setattr(extraction, "of_images", broken)
    ahead = Ahead(features, [("train", 20), ("test", 30)])
    with ahead.paused(nothing), pytest.raises(WeightsError, match="no weights here"):
        features.of("train", 20, nothing)
