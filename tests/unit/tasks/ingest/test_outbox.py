"""The outbox of a version, as kills and services that are away leave it."""

import pytest

from tasks.ingest import outbox
from tasks.runtime.settings import Settings

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture
def settings(tmp_path):
    settings = Settings(ganflow_home=tmp_path)
    settings.state_dir.mkdir()
    return settings


def current(settings, md5):
    (settings.home / "data.dvc").write_text(f"outs:\n- md5: {md5}.dir\n  path: data\n")


def to_send(settings):
    note = outbox.pending(settings)
    return note and (note.announce, note.record)


def test_nothing_is_sent_before_there_is_a_version(settings):
    assert to_send(settings) is None
    outbox.put(settings, announce=True)
    assert to_send(settings) is None
    current(settings, A)
    assert to_send(settings) == (True, True)


def test_an_ingest_that_changed_nothing_has_nothing_to_send(settings):
    current(settings, A)
    outbox.put(settings, announce=True)
    assert to_send(settings) is None
    outbox.mark_delivered(settings, recorded=True)
    assert list(settings.state_dir.iterdir()) == []


@pytest.mark.parametrize("first", ["announced", "recorded"])
def test_each_half_is_delivered_by_itself(settings, first):
    second = {"announced": "recorded", "recorded": "announced"}[first]
    current(settings, A)
    outbox.put(settings, announce=True)
    current(settings, B)
    outbox.mark_delivered(settings, **{first: True})
    assert to_send(settings) == (first == "recorded", first == "announced")
    outbox.mark_delivered(settings, **{second: True})
    assert to_send(settings) is None
    assert list(settings.state_dir.iterdir()) == []


def test_an_event_that_could_not_be_sent_outlives_ingests_that_change_nothing_or_do_not_announce(settings):
    current(settings, A)
    outbox.put(settings, announce=True)
    current(settings, B)
    outbox.mark_delivered(settings, recorded=True)
    event = outbox.pending(settings).event
    outbox.put(settings, announce=False)  # the same source again: B stays
    assert to_send(settings) == (True, True)
    current(settings, C)
    assert outbox.pending(settings).event == event
    outbox.mark_delivered(settings, announced=True, recorded=True)
    outbox.put(settings, announce=True)
    current(settings, A)
    assert outbox.pending(settings).event != event


@pytest.mark.parametrize("text", ["", "{", "[]", '{"before": 3}'])
def test_a_note_that_cannot_be_read_is_none(settings, text):
    (settings.state_dir / "ingest-owed.json").write_text(text)
    current(settings, A)
    assert outbox.pending(settings) is None
    outbox.mark_delivered(settings, announced=True)
    outbox.put(settings, announce=True)
