"""What a version owes, as kills and services that are away leave it."""

import pytest

from tasks.ingest.outbox import owe, owed, paid
from tasks.runtime.settings import Settings

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture
def settings(tmp_path):
    settings = Settings(ganflow_home=tmp_path)
    settings.state_dir.mkdir()
    return settings


def current(settings, md5):
    (settings.home / "data.dvc").write_text(f"outs:\n- md5: {md5}.dir\n  path: data\n")


def owes(settings):
    note = owed(settings)
    return note and (note.announce, note.record)


def test_nothing_is_owed_before_there_is_a_version(settings):
    assert owes(settings) is None
    owe(settings, announce=True)
    assert owes(settings) is None
    current(settings, A)
    assert owes(settings) == (True, True)


def test_an_ingest_that_changed_nothing_owes_nothing(settings):
    current(settings, A)
    owe(settings, announce=True)
    assert owes(settings) is None
    paid(settings, recorded=True)
    assert list(settings.state_dir.iterdir()) == []


@pytest.mark.parametrize("first", ["announced", "recorded"])
def test_each_half_is_paid_by_itself(settings, first):
    second = {"announced": "recorded", "recorded": "announced"}[first]
    current(settings, A)
    owe(settings, announce=True)
    current(settings, B)
    paid(settings, **{first: True})
    assert owes(settings) == (first == "recorded", first == "announced")
    paid(settings, **{second: True})
    assert owes(settings) is None
    assert list(settings.state_dir.iterdir()) == []


def test_an_event_that_could_not_be_sent_outlives_ingests_that_change_nothing_or_do_not_announce(settings):
    current(settings, A)
    owe(settings, announce=True)
    current(settings, B)
    paid(settings, recorded=True)
    event = owed(settings).event
    owe(settings, announce=False)  # the same source again: B stays
    assert owes(settings) == (True, True)
    current(settings, C)
    assert owed(settings).event == event
    paid(settings, announced=True, recorded=True)
    owe(settings, announce=True)
    current(settings, A)
    assert owed(settings).event != event


@pytest.mark.parametrize("text", ["", "{", "[]", '{"before": 3}'])
def test_a_note_that_cannot_be_read_is_none(settings, text):
    (settings.state_dir / "ingest-owed.json").write_text(text)
    current(settings, A)
    assert owed(settings) is None
    paid(settings, announced=True)
    owe(settings, announce=True)
