"""What a reproduction takes over from what is on record."""

import pytest

from gan.configuration.presets import debug
from gan.configuration.provenance import Configuration
from gan.errors import InputError
from gan.training.header import WarmStartRecord
from tasks.reproduce import plan
from tasks.reproduce.plan import _evaluation_config, _warm_start, _with_choice, _workers, code_differences
from tasks.train.resources import WorkerRange
from tasks.train.warm_start import WarmStart

CONFIGURATION = Configuration(origin="version", name="3", config=debug())


@pytest.mark.parametrize(
    ("machine", "workers"),
    [
        ({"workers": 3, "threads": 2}, WorkerRange(3, 3, 2)),
        ({"workers": 1}, WorkerRange(1, 1)),
        ({}, WorkerRange(1, 1)),
        ({"workers": "3", "threads": -1}, WorkerRange(1, 1)),
        ({"workers": True, "threads": True}, WorkerRange(1, 1)),
        ({"workers": 10**9, "threads": 0}, WorkerRange(1, 1)),
    ],
)
def test_workers_and_threads_are_those_of_the_header(make_header, machine, workers):
    assert _workers(make_header(machine=machine)) == workers


def test_the_protocol_is_that_of_then_whatever_the_configuration_says(evaluation):
    protocol = evaluation.protocol.model_copy(update={"neighbours": 7, "num_training": 900})
    found = _evaluation_config(CONFIGURATION, evaluation.model_copy(update={"protocol": protocol}))
    assert (found.num_images, found.reference_split, found.resize, found.precision) == (1000, "test", "tf1", "bf16")
    assert (found.neighbours, found.copy_images, found.seed, found.usefulness_seeds) == (7, 900, 0, 0)
    assert found.watch_images == debug().evaluation.watch_images
    before = _evaluation_config(CONFIGURATION, evaluation)
    assert (before.neighbours, before.copy_images) == (
        debug().evaluation.neighbours,
        debug().evaluation.copy_images,
    )


def test_a_protocol_that_cannot_be_asked_for_is_refused(evaluation):
    protocol = evaluation.protocol.model_copy(update={"reference_split": "all"})
    with pytest.raises(InputError, match="version 3 was evaluated under cannot be asked for again"):
        _evaluation_config(CONFIGURATION, evaluation.model_copy(update={"protocol": protocol}))


def test_steps_are_computed_as_they_were(make_header):
    recorded = make_header(choice={"bf16": True, "compiled": False, "rates": {"fp32": 3.0}, "spared": 1})
    told = _with_choice(make_header(), recorded)
    assert told.choice == {"bf16": True, "compiled": False, "rates": {}, "spared": 1}
    assert _with_choice(make_header(), make_header()) == make_header()


def test_a_warm_start_is_the_very_model_of_then(make_header, monkeypatch):
    record = WarmStartRecord(2, "r", "d")
    there = WarmStart(2, "r", "d", make_header(), "gan-generator")
    monkeypatch.setattr(plan, "find_warm_start", lambda settings, version: there if version == "2" else None)
    assert _warm_start(None, None) is None
    assert _warm_start(None, record) == there
    with pytest.raises(InputError, match="training began with version 2 of run other"):
        _warm_start(None, WarmStartRecord(2, "other", "d"))


def test_code_that_is_another_is_said():
    now = {"code": "ganflow 1, ab", "git_revision": "c0ffee"}
    assert code_differences(now, now) == []
    assert code_differences(now | {"resumed_code": "ganflow 1, ab"}, now) == []
    assert code_differences({"code": "ganflow 1, cd"}, now) == [
        "the code was ganflow 1, cd and is ganflow 1, ab",
        "the git revision was not recorded and is c0ffee",
    ]
    assert code_differences({}, {"code": "x"}) == ["the code was not recorded and is x"]
    assert code_differences(now | {"resumed_code": "ganflow 0, 00"}, now) == [
        "the training was cut short, and gone on with by the code ganflow 0, 00"
    ]
