"""A trial whose training outlives the wait for it says nothing in the name of the trial that follows it."""

from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from gan.configuration.presets import preset
from gan.training.context import Progress
from gan.training.header import Header
from tasks.train import trainer
from tasks.tune import trial
from tasks.tune.trial import KID, Trial, TrialPayload


class Leaving:
    """A channel that is asked to leave and takes its time."""

    def __init__(self):
        self.asked = Event()
        self.leave = SimpleNamespace(remote=self.asked.set)


class Trainings:
    """Trainings that go on until they are let."""

    def __init__(self):
        self.go = {"trial-0": Event(), "trial-1": Event()}
        self.begun = {name: Event() for name in self.go}
        self.channels = {name: Leaving() for name in self.go}

    def __call__(self, config, header, settings, *, name, on_progress, on_channel, **_):
        on_channel(self.channels[name])
        self.begun[name].set()
        assert self.go[name].wait(60)
        kid = 0.1 + int(name[-1])
        on_progress(Progress(config.train.total_images, config.train.total_images, metrics={KID: kid}))
        return SimpleNamespace(kid=kid, checkpoint=Path(name))


@pytest.fixture
def trainings(monkeypatch):
    found = Trainings()
    monkeypatch.setattr(trainer, "train_on_ray", found)
    monkeypatch.setattr(trial, "LEAVING_SECONDS", 0.05)
    return found


def test_a_training_that_is_late_ends_in_its_own_trial(trainings, tmp_path):
    config = preset("debug")
    header = Header(
        config=config.model_dump(mode="json"),
        training_hash=config.training_hash(),
        dataset_md5="0" * 32,
        channels=1,
        num_classes=2,
        class_names=("a", "b"),
    )
    names = ("trial-0", "trial-1")
    payload = TrialPayload((header.to_json(),) * 2, {"ganflow_home": str(tmp_path)}, names, 1, str(tmp_path))
    searching = Trial.__new__(Trial)  # without what Ray sets up around it
    searching.setup({"number": 0}, payload)
    assert trainings.begun["trial-0"].wait(60)
    late = searching.training
    assert searching.reset_config({"number": 1})
    assert trainings.channels["trial-0"].asked.is_set()
    assert trainings.begun["trial-1"].wait(60)
    trainings.go["trial-0"].set()
    assert late.results.get(timeout=60)["checkpoint"] == "trial-0"
    assert searching.training.results.empty()
    trainings.go["trial-1"].set()
    assert searching.step()["best"] == 1.1


def test_a_training_that_cannot_even_begin_ends_its_trial_with_a_sentence(tmp_path):
    """Else the search would wait for its first mark for ever."""
    payload = TrialPayload(('{"format": 1}',), {"ganflow_home": str(tmp_path)}, ("trial-0",), None, str(tmp_path))
    searching = Trial.__new__(Trial)
    searching.setup({"number": 0}, payload)
    last = searching.training.results.get(timeout=60)
    assert last["done"]
    assert "trial 0" in last["failure"]
