"""What a warm start asks of the model that training begins with."""

import hashlib

import pytest

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import debug
from gan.errors import InputError
from gan.training.header import Header, WarmStartRecord
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel
from tasks.train import warm_start
from tasks.train.warm_start import WarmStart, require_fit, training_hash_with


def header(*overrides, **changes):
    config = apply_overrides(debug(), overrides)
    fields = {"config": config.model_dump(mode="json"), "training_hash": config.training_hash(), "dataset_md5": "d"}
    return Header(**fields | {"channels": 1, "num_classes": 2, "class_names": ("a", "b")} | changes)


def start(**changes):
    return WarmStart(version=3, run_id="r", dataset_md5="d", header=header(**changes), model="gan-generator")


def test_the_same_networks_fit_whatever_else_differs():
    assert require_fit(start(), header("train.total_kimg=9", "loss.r1_gamma=0.5")) == []
    assert require_fit(start(), header("network.max_classes=50")) == []
    assert start().record == WarmStartRecord(version=3, run_id="r", dataset_md5="d")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (header("network.latent_dim=8"), r"its network\.latent_dim is 32 but this run's is 8"),
        (header("network.widths=[32,64]"), r"its network\.widths is \[32, 32\] but this run's is \[32, 64\]"),
        (header(channels=3), "its channels is 1 but this run's is 3"),
        (header(num_classes=3, class_names=("a", "b", "c")), "its num_classes is 2 but this run's is 3"),
    ],
)
def test_other_shapes_are_refused_with_both_values(wanted, sentence):
    with pytest.raises(InputError, match=f"training cannot start from gan-generator version 3: {sentence}"):
        require_fit(start(), wanted)


def test_other_names_of_as_many_classes_are_said():
    (sentence,) = require_fit(start(), header(class_names=("b", "a")))
    assert "the classes of gan-generator version 3 have other names" in sentence
    blind = header("network.conditional=false", num_classes=0, class_names=("c",))
    same = WarmStart(1, "r", "d", header("network.conditional=false", num_classes=0), "gan-generator")
    assert require_fit(same, blind) == [], "networks without classes have nothing to mix up"


def test_the_hash_is_the_configurations_own_without_a_warm_start():
    assert training_hash_with("0123456789abcdef", None) == "0123456789abcdef"
    records = [WarmStartRecord(version, "r", "d") for version in (1, 2)]
    joined = {training_hash_with(config, record) for config in ("0" * 16, "1" * 16) for record in records}
    assert len(joined) == 4
    assert {len(each) for each in joined} == {16}
    text = "0" * 16 + '{"dataset_md5": "d", "run_id": "r", "version": 1}'
    assert training_hash_with("0" * 16, records[0]) == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("text", [b"\xff", b"{", b"[" * 100_000, b'{"format_version": 2, "config": {"network": []}}'])
def test_a_header_in_the_registry_that_makes_no_sense_is_refused(monkeypatch, tmp_path, text):
    (tmp_path / "header.json").write_bytes(text)
    monkeypatch.setattr(warm_start, "find_model", lambda *_: RegisteredModel(3, "r", "d", (), "gan-generator"))
    monkeypatch.setattr(warm_start, "run_artifact", lambda *_: tmp_path / "header.json")
    with pytest.raises(InputError, match="the header of gan-generator version 3"):
        warm_start.find_warm_start(Settings(ganflow_home=tmp_path), "champion")
