"""The start-up probe: what it may choose from, by how much a candidate must win, and that it leaves all as it was."""

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch._inductor.config

from gan.configuration.config import Config, DataConfig, LossConfig, NetworkConfig, OptimizerConfig, TrainConfig
from gan.errors import ConfigError, ResourcesError
from gan.networks.build import build_discriminator, build_generator
from gan.objective.gradients import Objective
from gan.objective.losses import LOSSES
from gan.training import probe
from gan.training import step as step_module
from gan.training.choice import Choice
from gan.training.context import SingleWorker
from gan.training.feed import Feed
from gan.training.probe import Trial, best_precision, candidates, choose, measure
from gan.training.step import Networks
from tests.unit.gan.training.tape import TapeRecorder as Recorder

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def config(**train):
    return Config(
        data=DataConfig(resolution=8),
        network=NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=8, expansion=1),
        loss=LossConfig(penalty_every=2),
        train=TrainConfig(**{"batch_size": 4, "generator_every": 3} | train),
    )


@pytest.mark.parametrize(
    ("device", "native", "precision", "names"),
    [
        (CPU, True, "auto", ["fp32", "bf16"]),
        (CPU, False, "auto", ["fp32"]),
        (CPU, True, "fp32", ["fp32"]),
        (CPU, False, "bf16", ["bf16"]),
        (CUDA, True, "auto", ["fp32", "tf32", "bf16"]),
        (CUDA, False, "auto", ["fp32"]),
        (CUDA, True, "bf16", ["bf16"]),
        (CUDA, True, "tf32", ["tf32"]),
        (CUDA, True, "fp32", ["fp32"]),
    ],
)
def test_what_is_left_open(device, native, precision, names):
    found = candidates(config(precision=precision), device, native=native)
    assert [choice.name for choice in found] == names
    assert all(choice.rates == {} and not choice.compiled for choice in found)


@pytest.mark.parametrize(("device", "native"), [(CPU, True), (CUDA, False)])
def test_tf32_is_refused_where_there_is_none(device, native):
    with pytest.raises(ConfigError, match=r"train\.precision is tf32, which only GPUs .*: set auto"):
        candidates(config(precision="tf32"), device, native=native)


class Gpu(SingleWorker):
    """Says that it computes on a GPU; what is measured there is given."""

    def __init__(self):
        super().__init__(CPU)
        self.device = CUDA


WAYS = ["tf32", "tf32 captured", "tf32 compiled", "tf32 compiled captured"]


@pytest.mark.parametrize(
    ("compiled", "captured", "wanted", "measured"),
    [
        (None, None, "tf32 captured", WAYS),
        (False, None, "tf32 captured", WAYS[:2]),
        (True, None, "tf32 compiled captured", WAYS[2:]),
        (None, False, "tf32 compiled", [WAYS[0], WAYS[2]]),
        (None, True, "tf32 compiled captured", [WAYS[1], WAYS[3]]),
        (False, False, "tf32", []),
        (True, True, "tf32 compiled captured", []),
    ],
)
def test_on_a_gpu_only_the_best_precision_is_compiled_and_captured(
    feed, monkeypatch, compiled, captured, wanted, measured
):
    asked = []

    def measure(choices, *_):
        asked.append([choice.name for choice in choices])
        index = 1  # TF32 of the precisions, then what comes after the plainest
        return replace(choices[index], rates={choice.name: 1.0 for choice in choices})

    monkeypatch.setattr(probe, "measure", measure)
    monkeypatch.setattr(probe, "_all_have_bf16", lambda context: True)
    decided = config(compile=compiled, capture=captured)
    found = choose(Trial(decided, networks(decided.network), None, feed, Gpu(), [(0, 4)]))
    replayed = "" if captured is False else " captured"
    precisions = [name + replayed for name in ("fp32", "tf32", "bf16")]
    assert (found.name, asked) == (wanted, [precisions, *([measured] if measured else [])])
    assert list(found.rates) == list(dict.fromkeys(name for names in asked for name in names))


@pytest.mark.parametrize("full", [True, False])
def test_where_nothing_can_be_replayed_precisions_are_compared_by_plain_steps(feed, monkeypatch, full):
    """Because what is recorded has no room, or cannot be recorded at all."""
    asked = []

    def measure(choices, *_):
        asked.append([choice.name for choice in choices])
        if choices[0].captured and full:
            raise ResourcesError("no room")
        return choices[-1] if choices[0].captured else replace(choices[-1], rates={"bf16": 2.0})

    monkeypatch.setattr(probe, "measure", measure)
    trial = Trial(config(), None, None, feed, Gpu(), [(0, 4)])
    assert best_precision([PLAIN, ROUNDED], trial) == replace(ROUNDED, rates={"bf16": 2.0})
    assert asked == [["fp32 captured", "bf16 captured"], ["fp32", "bf16"]]


def test_a_step_is_captured_on_a_gpu_alone():
    with pytest.raises(ConfigError, match=r"train\.capture is true, but only GPUs .*: set null"):
        candidates(config(capture=True), CPU, native=False)
    assert candidates(config(capture=True), CUDA, native=False) == [PLAIN]


def test_what_cannot_be_captured_is_no_candidate_and_the_run_is_told(feed, brief, monkeypatch):
    """Here, on a CPU, nothing can: so the real part says so itself."""
    sentences = []

    class Refusing(Recorder):
        def record(self, compute):
            raise RuntimeError("operation not permitted")

    monkeypatch.setattr(step_module, "CudaRecorder", lambda device: Refusing([]))
    context = SingleWorker(CPU)
    context.warn = sentences.append
    nets, objective = networks(config().network), Objective(LOSSES["relativistic"])
    captured = replace(PLAIN, captured=True)
    found = measure(
        [PLAIN, captured, replace(ROUNDED, captured=True)], Trial(config(), nets, objective, feed, context, [(0, 4)])
    )
    assert list(found.rates) == ["fp32"]
    assert found.name == "fp32"
    assert len(sentences) == 1
    assert "operation not permitted" in sentences[0]


def test_what_is_captured_is_warmed_until_all_is_recorded():
    rounds = []

    class Captured:
        compiled, context = False, Gpu()

        @property
        def settled(self):
            return len(rounds) == 3

    probe._warm(Captured(), rounds.append, 24)
    assert rounds == [24, 24, 24]


def test_a_candidate_without_room_is_infinitely_slow_and_none_is_an_error(feed, monkeypatch):
    room = {"fp32": False, "bf16": True}

    def seconds(step, *_):
        if not room["bf16" if step.objective.bf16 else "fp32"]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 0.5

    monkeypatch.setattr(probe, "_seconds_a_step", seconds)
    nets, objective = networks(config().network), Objective(LOSSES["hinge"])
    found = measure([PLAIN, ROUNDED], Trial(config(), nets, objective, feed, SingleWorker(CPU), [(0, 4)]))
    assert (found.name, str(found)) == ("bf16", "bf16 (img/s: fp32 no room, bf16 8)")
    assert json.loads(json.dumps(found.as_header()))["rates"] == {"fp32": 0.0, "bf16": 8.0}
    room["bf16"] = False
    with pytest.raises(ResourcesError, match=r"a step on 4 images a worker does not fit .*: raise train\.accumulate"):
        measure([PLAIN, ROUNDED], Trial(config(), nets, objective, feed, SingleWorker(CPU), [(0, 4)]))


def test_what_is_compiled_is_warmed_until_nothing_is_compiled_any_more(monkeypatch):
    """Graphs of lazy penalties and of the generator come with the first step that has them."""
    from torch._dynamo.utils import counters

    kinds, rounds = [4, 5, 5, 5], []

    class Compiled:
        compiled, context, settled = True, SingleWorker(CPU), True

    def steps(count):
        counters["stats"]["unique_graphs"] = kinds[len(rounds)]
        rounds.append(count)

    probe._warm(Compiled(), steps, 24)
    assert rounds == [24, 24, 24]


PLAIN, ROUNDED, COMPILED = Choice(False, False, {}), Choice(True, False, {}), Choice(True, True, {})


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        ([1.0, 1.0, 1.0], "fp32"),
        ([1.0, 0.92, 0.92], "fp32"),
        ([1.0, 0.9, 0.9], "bf16"),
        ([1.0, 0.9, 0.83], "bf16"),
        ([1.0, 0.9, 0.8], "bf16 compiled"),
        ([1.0, 0.95, 0.9], "bf16 compiled"),
        ([1.0, 2.0, 3.0], "fp32"),
        ([1.0, 2.0, 0.5], "bf16 compiled"),
    ],
)
def test_a_candidate_must_be_a_tenth_faster_than_the_one_before_it(seconds, wanted):
    assert probe._fastest([PLAIN, ROUNDED, COMPILED], seconds, 64).name == wanted


def test_a_choice_says_what_was_measured():
    found = probe._fastest([PLAIN, ROUNDED], [0.4, 0.2], 64)
    assert found == Choice(True, False, {"fp32": 160.0, "bf16": 320.0})
    assert str(found) == "bf16 (img/s: fp32 160, bf16 320)"
    assert str(PLAIN) == "fp32"
    assert str(COMPILED) == "bf16 compiled"
    assert Choice(**json.loads(json.dumps(found.as_header()))) == found


def networks(network):
    torch.manual_seed(0)
    G = build_generator(network, channels=1, num_classes=3)
    D = build_discriminator(network, channels=1, num_classes=3)
    optimizers = [torch.optim.Adam(part.parameters(), fused=True) for part in (G, D)]
    return Networks(G, D, copy.deepcopy(G), *optimizers)


@pytest.fixture
def feed():
    rng = np.random.default_rng(0)
    return Feed(
        rng.integers(0, 256, (9, 8, 8, 1), dtype=np.uint8),
        rng.integers(0, 3, 9),
        seed=0,
        flip=True,
        latent_dim=4,
        device=CPU,
    )


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(probe, "SECONDS", 0.0)


def state(nets):
    parts = (nets.G, nets.D, nets.G_ema, nets.G_optimizer, nets.D_optimizer)
    return [copy.deepcopy(part.state_dict()) for part in parts]


def test_measuring_leaves_the_networks_alone(feed, brief):
    nets = networks(config().network)
    before = state(nets)
    objective = Objective(LOSSES["relativistic"])
    found = measure([PLAIN, ROUNDED], Trial(config(), nets, objective, feed, SingleWorker(CPU), [(0, 4)]))
    assert list(found.rates) == ["fp32", "bf16"]
    assert min(found.rates.values()) > 0
    assert found.compiled is False
    torch.testing.assert_close(state(nets), before, rtol=0, atol=0)
    assert not objective.bf16
    assert all(parameter.grad is None for parameter in nets.D.parameters())


class Warned(SingleWorker):
    """Keeps what the user is told."""

    def __init__(self, device):
        super().__init__(device)
        self.sentences = []

    def warn(self, sentence):
        self.sentences.append(sentence)


def test_what_is_decided_is_not_measured(feed, monkeypatch):
    monkeypatch.setattr(probe, "_seconds_a_step", lambda *_: pytest.fail("measured"))
    monkeypatch.setattr(probe, "native_bf16", lambda device: True)
    for precision, wanted in (("fp32", PLAIN), ("bf16", ROUNDED)):
        decided = config(precision=precision)
        assert choose(Trial(decided, networks(decided.network), None, feed, SingleWorker(CPU), [(0, 4)])) == wanted


def test_what_is_emulated_is_never_tried_and_who_asks_for_it_is_warned_once(feed, monkeypatch):
    monkeypatch.setattr(probe, "_seconds_a_step", lambda *_: pytest.fail("measured"))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    found = {}
    for precision in ("auto", "fp32", "bf16"):
        context, decided = Warned(CPU), config(precision=precision)
        found[precision] = choose(Trial(decided, networks(decided.network), None, feed, context, [(0, 4)]))
        assert len(context.sentences) == (precision == "bf16")
    assert found == {"auto": PLAIN, "fp32": PLAIN, "bf16": ROUNDED}
    assert "train.precision is bf16, which this CPU has no instructions for" in context.sentences[0]


def test_one_rank_without_instructions_decides_for_all(feed, monkeypatch):
    class Two(SingleWorker):
        world_size = 2

        def all_reduce(self, tensor):
            tensor += torch.ones_like(tensor)  # the other rank lacks them

    monkeypatch.setattr(probe, "_seconds_a_step", lambda *_: pytest.fail("measured"))
    monkeypatch.setattr(probe, "native_bf16", lambda device: True)
    assert choose(Trial(config(), networks(config().network), None, feed, Two(CPU), [(0, 2)])) == PLAIN


def test_settings_that_diverge_do_so_in_the_run_and_not_here(feed, brief):
    hot = config().model_copy(update={"optimizer": OptimizerConfig(lr=1e30, final_lr=1e30)})
    found = measure(
        [PLAIN],
        Trial(hot, networks(hot.network), Objective(LOSSES["relativistic"]), feed, SingleWorker(CPU), [(0, 4)]),
    )
    assert found.rates["fp32"] > 0


@pytest.mark.parametrize(("threads", "slower", "spared"), [(2, 1.4, 1), (2, 1.6, 0), (4, 1.1, 1), (4, 1.2, 0)])
def test_a_core_that_gives_less_than_half_of_its_best_is_left_to_the_scores(feed, monkeypatch, threads, slower, spared):
    """Of two cores the second could double the speed at best, of four the last could give a third."""

    class Sharing(SingleWorker):
        shares_cores = True

    before, measured = torch.get_num_threads(), []

    def seconds(*_):
        measured.append(torch.get_num_threads())
        return 1.0 if torch.get_num_threads() == threads else slower

    monkeypatch.setattr(probe, "_seconds_a_step", seconds)
    torch.set_num_threads(threads)
    try:
        plain, objective = config(precision="fp32"), Objective(LOSSES["hinge"])
        found = choose(Trial(plain, networks(plain.network), objective, feed, Sharing(CPU), [(0, 4)]))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert measured == [threads, threads - 1]
    assert found == replace(PLAIN, spared=spared)
    assert str(found) == ("fp32, a core left to the scores" if spared else "fp32")


def test_whole_rounds_are_measured_with_every_kind_of_step_in_them(feed, brief, monkeypatch):
    steps = []

    class Watched(probe.Step):
        def __call__(self, batch, settings, cur_nimg):
            steps.append((self.objective.bf16, settings.penalised, settings.generator_too, len(batch.rows)))
            return super().__call__(batch, settings, cur_nimg)

    monkeypatch.setattr(probe, "Step", Watched)
    nets, objective = networks(config().network), Objective(LOSSES["relativistic"])
    measure([PLAIN, ROUNDED], Trial(config(), nets, objective, feed, SingleWorker(CPU), [(0, 4)]))
    # one to warm up, then penalties at every 2nd and the generator at every 3rd: rounds of 6
    kinds = [(True, False), (False, False), (True, True), (False, False), (True, False), (False, True)]
    wanted = [kinds[0], *kinds]
    assert steps == [(bf16, *kind, 4) for bf16 in (False, True) for kind in wanted]


def test_all_ranks_decide_alike_by_their_mean(feed, brief, monkeypatch):
    class Two(SingleWorker):
        world_size = 2

        def all_reduce(self, tensor):
            assert tensor.shape == (2,)
            tensor += torch.tensor([0.1, 9.0])  # the other rank found bf16 slow

    own = iter([0.1, 0.01])
    monkeypatch.setattr(probe, "_seconds_a_step", lambda *_: next(own))
    nets, objective = networks(config().network), Objective(LOSSES["hinge"])
    found = measure([PLAIN, ROUNDED], Trial(config(), nets, objective, feed, Two(CPU), [(0, 2)]))
    assert found.name == "fp32"
    assert found.rates["fp32"] == 20.0
    assert replace(found, rates={}) == PLAIN


def test_steps_that_cannot_be_recorded_where_that_is_asked_for_are_no_lack_of_memory(feed, monkeypatch):
    monkeypatch.setattr(probe, "_seconds_of", lambda *_: math.nan)
    trial = Trial(config(), networks(config().network), Objective(LOSSES["relativistic"]), feed, Warned(CPU), [(0, 4)])
    ways = [replace(PLAIN, captured=True), replace(PLAIN, captured=True, compiled=True)]
    assert measure(ways, trial) == replace(ways[0], rates={})


def test_where_nothing_can_be_compiled_it_is_left_out_and_said(feed, brief):
    trial = Trial(config(), networks(config().network), Objective(LOSSES["relativistic"]), feed, Warned(CPU), [(0, 4)])
    ways = [PLAIN, replace(PLAIN, compiled=True)]
    with torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",), "fx_graph_cache": False}):
        found = measure(ways, trial)
        assert found == replace(PLAIN, rates=found.rates)
        assert list(found.rates) == ["fp32"]
        (sentence,) = trial.context.sentences
        assert sentence.startswith("steps are not compiled, for that failed here (")
        assert "no-such-compiler" in sentence
        asked = replace(trial, config=config(compile=True))
        with pytest.raises(Exception, match="no-such-compiler"):
            measure(ways, asked)
