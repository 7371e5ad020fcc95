"""The precision that an evaluation begins with: what `auto` becomes, and what is said of one that is emulated."""

import pytest
import torch

from gan.configuration.config import EvaluationConfig
from tasks.evaluate import extraction
from tasks.evaluate.extraction import resolve_precision
from tasks.evaluate.network import warn_of_emulation
from tasks.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(ganflow_home=tmp_path, ray_address=None)


@pytest.mark.parametrize(("native", "becomes"), [(True, "bf16"), (False, "fp32")])
def test_auto_becomes_what_the_hardware_has(settings, monkeypatch, native, becomes):
    asked = []
    monkeypatch.setattr(extraction, "native_bf16", lambda device: asked.append(device.type) or native)
    config = resolve_precision(settings, EvaluationConfig(seed=3))
    assert config == EvaluationConfig(seed=3, precision=becomes)
    resolve_precision(settings, EvaluationConfig(), gpu=False)
    resolve_precision(settings, EvaluationConfig(), gpu=True)
    assert asked == ["cuda" if torch.cuda.is_available() else "cpu", "cpu", "cuda"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_a_person_asks_for_stays(settings, monkeypatch, precision):
    monkeypatch.setattr(extraction, "native_bf16", lambda device: pytest.fail("asked"))
    assert resolve_precision(settings, EvaluationConfig(precision=precision)).precision == precision


def test_on_a_cluster_all_nodes_are_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "all_nodes_have_bf16", lambda settings: settings.ray_address == "10.0.0.1:6379")
    settings = Settings(ganflow_home=tmp_path, ray_address="10.0.0.1:6379")
    assert resolve_precision(settings, EvaluationConfig()).precision == "bf16"


def test_bf16_that_is_emulated_is_warned_of_in_one_sentence(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    for precision, count in (("fp32", 0), ("bf16", 1)):
        warnings = []
        warn_of_emulation(EvaluationConfig(precision=precision), warnings.append, gpu=False)
        assert len(warnings) == count
    assert warnings[0].startswith(
        "evaluation.precision is bf16, which this CPU has no instructions for: a matrix product"
    )
