"""What is told of a release, and what becomes of it where nobody can be told."""

import logging

from tasks.releases import step
from tasks.releases.states import ReleaseRecord, State

RECORD = ReleaseRecord(
    name="v1-001", state=State.RECALLED, reason="x", version=1, num_images=1, md5=None, run_id="r", drawn_at=""
)


def test_where_prefect_cannot_be_told_it_is_a_warning(monkeypatch, caplog):
    def away(*arguments, **facts):
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(step, "send_event", away)
    monkeypatch.setattr(step, "get_run_logger", lambda: logging.getLogger("test"))
    step.announce("release.recalled", RECORD)
    assert "release.recalled could not be sent to Prefect (nobody answers)" in caplog.text


def test_each_reason_is_an_event_of_its_own(monkeypatch):
    ids = []
    monkeypatch.setattr(step, "send_event", lambda event, **facts: ids.append(facts["event_id"]))
    for record in (RECORD, RECORD, RECORD.model_copy(update={"reason": "y"})):
        step.announce("release.recalled", record)
    assert ids[0] == ids[1] != ids[2]
