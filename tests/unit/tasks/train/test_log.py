"""What a training's records become beside their way to MLflow, which `test_telemetry` follows."""

import logging

import pytest

from gan.training.context import Progress
from tasks.train.log import TrainingLog
from tasks.train.worker_log import WorkerLog


class Kept:
    """Takes what would be written, and writes it at once into a run that remembers."""

    def __init__(self):
        self.written = []

    def put(self, what, write, size=0):
        write()

    def metrics(self, values, step, at):
        self.written.append((step, dict(values)))

    def text(self, text, name):
        self.written.append((name, text))

    def tags(self, tags):
        self.written.append(tags)


@pytest.fixture
def kept():
    return Kept()


def log_of(kept, price=None):
    return TrainingLog(kept, kept, lambda record: None, logging.getLogger(__name__), price)


def mark(cur_nimg, rate):
    return Progress(cur_nimg, 10_000, metrics={"D_loss": 1.0, "images_per_second": rate})


def test_with_a_price_each_mark_says_what_a_thousand_images_cost(kept):
    log = log_of(kept, price=3.6)
    log.progress(Progress(0, 10_000, choice="fp32"))
    log.progress(mark(1000, 100.0))
    log.progress(mark(4000, 50.0))
    tags, *written = kept.written
    assert tags == {"choice": "fp32"}
    assert [values["cost_per_kimg"] for _, values in written] == pytest.approx([0.01, 0.02])
    assert log.cost_per_kimg == pytest.approx((1 * 0.01 + 3 * 0.02) / 4)


def test_what_is_trained_twice_is_paid_twice(kept):
    log = log_of(kept, price=3.6)
    for start in (0, 0):
        log.progress(Progress(start, 10_000, choice="fp32"))
        log.progress(mark(start + 1000, 100.0))
    assert log._seconds == 20.0
    assert log.cost_per_kimg == pytest.approx(0.01)


def test_without_a_price_nothing_is_said_of_it(kept):
    log = log_of(kept)
    log.progress(mark(1000, 100.0))
    assert kept.written == [(1000, {"D_loss": 1.0, "images_per_second": 100.0})]
    assert log.cost_per_kimg is None


def test_a_score_costs_nothing(kept):
    log = log_of(kept, price=3.6)
    log.progress(Progress(1000, 10_000, metrics={"kid": 0.1}))
    assert kept.written == [(1000, {"kid": 0.1})]
    assert log.cost_per_kimg is None


def test_what_a_worker_wrote_is_an_artifact(kept):
    log_of(kept).output(WorkerLog(1, "it said so", failed=True))
    assert kept.written == [("logs/failed-worker-1.log", "it said so")]


def test_where_the_images_are_is_said_and_is_no_progress(caplog):
    shown = []
    log = TrainingLog(None, None, shown.append, logging.getLogger("training"))
    with caplog.at_level(logging.INFO):
        log.progress(Progress(0, 10, images="training images: 100 % of them, held in memory"))
    assert caplog.messages == ["training images: 100 % of them, held in memory"]
    assert shown == []
