"""Collecting what the processes of a training say: whatever becomes of a record, the next one comes."""

import asyncio

from gan.training.context import Progress
from tasks.train.channel import Channel, collecting


class LocalChannel:
    """The actor's own class in this process, under the names by which Ray calls it."""

    def __init__(self):
        self._channel = Channel.__ray_metadata__.modified_class()
        self.put = lambda record: asyncio.run(self._channel.put(record))
        self.drain = self

    def remote(self):
        return asyncio.run(self._channel.drain())


def progress(cur_nimg):
    return {"cur_nimg": cur_nimg, "total_nimg": 100, "metrics": {"D_loss": 1.0}}


def collected(monkeypatch, records, *, late=False, **callbacks):
    monkeypatch.setattr("tasks.train.channel.POLL_SECONDS", 0.01)
    monkeypatch.setattr("ray.get", lambda value: value)  # no Ray runs here
    answers = iter([late])
    monkeypatch.setattr("ray.wait", lambda asked, timeout: ([], asked) if next(answers, False) else (asked, []))
    channel = LocalChannel()
    with collecting(channel, callbacks.pop("on_progress"), **callbacks):
        for record in records:
            channel.put(record)


def test_a_record_that_cannot_be_handed_on_neither_ends_the_collecting_nor_fails_the_work(monkeypatch):
    seen, warnings = [], []

    def on_progress(record: Progress):
        if record.cur_nimg < 3:
            raise ConnectionError("MLflow is away")
        seen.append(record.cur_nimg)

    collected(monkeypatch, map(progress, range(6)), on_progress=on_progress, on_warning=warnings.append)
    assert seen == [3, 4, 5]
    assert warnings == ["what the training told could not all be shown (MLflow is away): it goes on all the same"]


def test_what_cannot_even_be_said_ends_nothing(monkeypatch):
    def broken(*_):
        raise OSError("no terminal")

    collected(monkeypatch, [progress(1), {"warning": "w"}, progress(2)], on_progress=broken, on_warning=broken)


def test_a_sentence_is_said_once(monkeypatch):
    warnings = []
    collected(monkeypatch, [{"warning": "w"}] * 3, on_progress=lambda record: None, on_warning=warnings.append)
    assert warnings == ["w"]


def test_an_answer_that_comes_late_is_not_lost(monkeypatch):
    seen = []
    collected(
        monkeypatch,
        map(progress, range(6)),
        late=True,
        on_progress=lambda record: seen.append(record.cur_nimg),
        on_warning=print,
    )
    assert seen == list(range(6))


def test_a_training_that_listens_is_asked_to_leave_and_waited_for():
    told = []

    async def train(channel):
        await channel.asked_to_leave()
        told.append("checkpoint stored")
        await channel.leaves()

    async def drive():
        channel = Channel.__ray_metadata__.modified_class()
        training = asyncio.create_task(train(channel))
        await asyncio.sleep(0)  # it listens
        await channel.leave()
        told.append("left")
        await training

    asyncio.run(drive())
    assert told == ["checkpoint stored", "left"]


def test_a_training_that_does_not_listen_yet_is_not_waited_for():
    channel = Channel.__ray_metadata__.modified_class()
    asyncio.run(channel.leave())
    assert channel.asked.is_set()
