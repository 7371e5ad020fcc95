"""Progress: what a place says, when a line is logged, and the bar of a terminal."""

import io
import logging
import sys

import pytest

from tasks.runtime.progress import Pace, Position, ProgressLog, Reporter, progress


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (
            Position(51_200, 100_000, 312.4, "images", "D_loss 0.5"),
            "training: 51,200 of 100,000 images, 312 img/s, 0:02:36 left (D_loss 0.5)",
        ),
        (Position(64, 128, None, "images"), "training: 64 of 128 images"),
        (Position(64, 128, 2.0, "images", after=60.0), "training: 64 of 128 images, 2 img/s, 0:01:32 left"),
        (Position(128, 128, 2.0, "images", after=60.0), "training: 128 of 128 images, 2 img/s, 0:01:00 left"),
        (Position(128, 128, 2.0, "images"), "training: 128 of 128 images, 2 img/s"),
        (Position(3_000_000, 0, 1.5e6, "bytes"), "training: 3,000,000 bytes, 1.5 MB/s"),
        (Position(20_000, 0, 9e4, "files"), "training: 20,000 files, 90,000 files/s"),
        (Position(0, 10**8, 100.0, "images"), "training: 0 of 100,000,000 images, 100 img/s, 11 days, 13:46:40 left"),
    ],
)
def test_a_place_in_a_sentence(place, sentence):
    assert place.sentence("training") == sentence


def test_what_an_earlier_process_did_is_no_speed_of_this_one():
    clock = Clock()
    pace = Pace(clock)
    assert pace.at(50_000) is None
    clock.now += 2
    assert pace.at(50_100) == 50.0
    clock.now += 2
    assert pace.at(50_400) == 100.0


def test_of_long_work_the_last_half_counts():
    clock = Clock()
    pace = Pace(clock)
    pace.at(0)
    for second in range(1, 201):  # a tenth as fast for the first 20 seconds
        clock.now = 1000.0 + second
        found = pace.at(10 * min(second, 20) + 100 * max(0, second - 20))
        if second == 20:
            assert found == 10.0
        if second >= 60:
            assert found == 100.0


def logged(caplog, moments, total=1000):
    """Show places at given seconds, and return the images of those that were logged."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    lines = ProgressLog(logging.getLogger("lines"), clock)
    for seconds, done in moments:
        clock.now = 1000.0 + seconds
        lines.show("training", Position(done, total, None, "images"))
    return [int(record.getMessage().split()[1].replace(",", "")) for record in caplog.records]


def test_a_line_is_logged_every_ten_seconds_and_at_the_end(caplog):
    moments = [(1, 10), (9, 90), (11, 110), (15, 150), (21, 210), (22, 1000), (23, 1000)]
    assert logged(caplog, moments) == [110, 210, 1000]


def test_what_is_done_before_the_first_line_needs_none(caplog):
    assert logged(caplog, [(1, 10), (2, 1000)]) == []


def test_a_day_of_work_is_a_few_hundred_lines(caplog):
    assert 300 < len(logged(caplog, [(seconds, 1) for seconds in range(86_400)])) < 350


def test_the_bar_shows_place_speed_time_left_and_note(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    note = "D_loss 0.412  G_loss 1.141  D_sign +0.97  kid 0.0492 at 50,048"
    with progress("training", 100_000) as update:
        update(51_200, note, rate=312.4)
    shown = terminal.getvalue()
    for words in ("training", "51200/100000", "312 img/s", "0:02:36 left", note):
        assert words in shown, shown


def test_another_piece_of_the_work_has_a_name_a_total_and_a_speed_of_its_own():
    shown = []
    reporter = Reporter("training", 100, "images", lambda description, place: shown.append((description, place)))
    reporter(50)
    reporter(100, "all of it")
    reporter.begin("scoring", 7)
    reporter(3)
    reporter(5, total=9, rate=2.0)
    (first, start), (_, end), (second, begun), (_, last) = shown
    assert (first, second) == ("training", "scoring")
    assert (start.total, end.total, begun.total, last.total) == (100, 100, 7, 9)
    assert (start.rate, begun.rate, last.rate) == (None, None, 2.0)
    assert end.rate > 0
    assert end.note == "all of it"


def test_without_a_terminal_and_a_logger_nothing_is_shown(capsys):
    with progress("training", 10) as update:
        update(5, total=20)
        update(20, "all", rate=3.0)
    assert capsys.readouterr() == ("", "")
