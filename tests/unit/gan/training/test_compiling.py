"""Whether steps are still compiled where a run is taken up again: all workers alike, and who could not says why."""

from types import SimpleNamespace

import pytest
import torch

from gan.configuration.presets import preset
from gan.objective.gradients import Objective
from gan.objective.losses import LOSSES
from gan.training import loop
from gan.training.choice import Choice
from gan.training.compiling import compiler_error, compiles_here
from gan.training.context import SingleWorker


class Warned(SingleWorker):
    """Keeps what the user is told; other workers report `lacking` times that they could not compile."""

    def __init__(self, lacking=0):
        super().__init__(torch.device("cpu"))
        self.lacking = lacking
        self.sentences = []

    def warn(self, sentence):
        self.sentences.append(sentence)

    def all_reduce(self, tensor):
        tensor += self.lacking


@pytest.fixture(autouse=True)
def afresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_worker_that_could_follows_those_that_could_not(monkeypatch, lacking):
    plain = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function: plain(function, backend="aot_eager"))
    context = Warned(lacking)
    assert compiles_here(context) == (not lacking)
    assert context.sentences == []


def test_a_machine_without_a_compiler_is_no_error_and_is_said():
    context = Warned()
    with torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",), "fx_graph_cache": False}):
        assert not compiles_here(context)
    (sentence,) = context.sentences
    assert sentence.startswith("steps are not compiled, for that failed here (")
    assert "no-such-compiler" in sentence
    assert "train.compile=false" in sentence


def test_the_cause_is_named_and_not_what_it_is_wrapped_in():
    wrapped = RuntimeError("the backend failed")
    wrapped.__cause__ = OSError("no gcc")
    assert compiler_error(wrapped) == "no gcc"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(("asked", "here", "wanted"), [(None, True, True), (None, False, False), (True, False, True)])
def test_a_run_that_was_compiled_is_so_where_it_can_be_or_is_asked_to_be(monkeypatch, device, asked, here, wanted):
    """A GPU's run; on a CPU it goes on as if it had never been compiled, if it is not asked for."""
    monkeypatch.setattr(loop, "choose_kernels", lambda *_, **__: None)
    monkeypatch.setattr(loop, "round_fp32", lambda *_, **__: None)
    monkeypatch.setattr(loop, "compiles_here", lambda context: here)
    monkeypatch.setattr(loop, "Step", lambda *_, compiled, captured: compiled)
    config = preset("digits")
    state = SimpleNamespace(
        config=config.model_copy(update={"train": config.train.model_copy(update={"compile": asked})}),
        context=SimpleNamespace(device=torch.device(device)),
        choice=Choice(bf16=False, compiled=True, rates={}),
        objective=Objective(LOSSES["relativistic"]),
        nets=None,
    )
    assert loop.prepare_step(state, None) == (wanted and (device == "cuda" or bool(asked)))
