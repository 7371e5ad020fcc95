"""What only a card shows: a step that never waits, one that skips by itself, the same bits where that is asked for."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from gan.configuration.config import Config
from gan.configuration.presets import preset
from gan.configuration.schedules import step_settings
from gan.device.fp32 import round_fp32, rounding, set_rounding
from gan.device.precision import choose_kernels
from gan.errors import NonFiniteLossError
from gan.networks.efficientnet import PACKAGE
from gan.training.context import SingleWorker
from gan.training.loop import open_feed
from gan.training.place import Budget
from gan.training.probe import Trial, candidates, choose
from gan.training.state import TrainingState
from gan.training.step import Step

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
BATCH = 16
IMAGES = 64 * BATCH
"""More than a test passes: after each pass another thread copies the order of a further one to the card, and waits."""


def narrow(name: str, **train: object) -> Config:
    """A preset with all its stages and hardly any channels."""
    config = preset(name)
    network = config.network.model_copy(update={"widths": tuple(32 for _ in config.network.widths)})
    train = {"batch_size": BATCH, "precision": "fp32", "compile": False} | train
    return config.model_copy(update={"network": network, "train": config.train.model_copy(update=train)})


@pytest.fixture
def begin(make_header):
    """From a configuration to a training on the card: its state, step and feed."""
    before = rounding()
    round_fp32(torch.device("cuda"), tf32=False)  # PyTorch's own choice for convolutions is TF32

    def begin(config: Config, *, bf16: bool = False, captured: bool = False):
        if config.network.architecture == "projected":
            pytest.importorskip(PACKAGE)
        device = torch.device("cuda")
        state = TrainingState(config, SingleWorker(device), make_header(num_classes=2, class_names=("a", "b")))
        side = config.data.resolution
        images = np.random.default_rng(0).integers(0, 256, (IMAGES, side, side, 1), dtype=np.uint8)
        feed = open_feed(config, images, np.arange(IMAGES) % 2, device, Budget(2**30, 2**30))
        step = Step(state.nets, replace(state.objective, bf16=bf16), state.context, captured=captured)
        return state, step, feed

    yield begin
    set_rounding(before)


def steps(state: TrainingState, step: Step, feed, count: int) -> None:
    for _ in range(count):
        batches = [feed.batch(*share) for share in state.shares()]
        step(batches[0], step_settings(state.config, state.cur_nimg), state.cur_nimg, *batches[1:])
        state.cur_nimg += BATCH


@pytest.mark.parametrize("name", ["cifar10", "r3gan-32", "fashion-mnist", "small-data", "few-shot-256"])
@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
def test_no_step_waits_for_the_card(begin, name, bf16, captured):
    state, step, feed = begin(narrow(name), bf16=bf16, captured=captured)
    steps(state, step, feed, 8)  # kernels are looked for, orders made, and every kind of step has come once
    while not step.settled:
        steps(state, step, feed, 8)
    assert (step.graphs is not None) == captured
    torch.cuda.synchronize()
    try:
        torch.cuda.set_sync_debug_mode("error")
        steps(state, step, feed, 16)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def weights_and_moments(nets):
    networks, optimizers = (nets.G, nets.D), (nets.G_optimizer, nets.D_optimizer)
    return [list(each.parameters()) for each in networks], [each.state_dict()["state"] for each in optimizers]


def test_a_step_that_is_not_finite_is_skipped_on_the_card_and_counted(begin):
    state, step, feed = begin(narrow("fashion-mnist"))
    steps(state, step, feed, 2)
    before = copy.deepcopy(weights_and_moments(state.nets))
    batch = feed.batch(*state.shares()[0])
    batch.real_images[0] = float("nan")
    step(batch, step_settings(state.config, state.cur_nimg), state.cur_nimg)
    torch.testing.assert_close(weights_and_moments(state.nets), before, rtol=0, atol=0)
    assert step.bad_steps.check(1, 0) == 1
    with pytest.raises(NonFiniteLossError, match=f"at image {state.cur_nimg}"):
        step.bad_steps.check(0, 0)
    steps(state, step, feed, 1)
    assert step.bad_steps.check(0, 0) == 1


@pytest.mark.parametrize("changes", [{}, {"accumulate": 2}])
@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist", "wgan-gp-32", "few-shot-256", "r3gan-32"])
def test_a_captured_step_is_the_eager_one(begin, name, changes):
    """Bit for bit, by kernels that repeat theirs; ADA's sampling has none, so with it some weights go another way."""
    exact = name != "r3gan-32"
    states, device = [], torch.device("cuda")
    choose_kernels(device, deterministic=exact)
    try:
        for captured in (False, True):
            state, step, feed = begin(narrow(name, deterministic=exact, **changes), captured=captured)
            steps(state, step, feed, 40 if exact else 6)
            assert step.settled
            assert (step.graphs is not None) == captured
            states.append([part.state_dict() for part in (state.nets.G, state.nets.D, state.nets.G_ema)])
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(*states, rtol=0, atol=0 if exact else 6 * 2 * 2e-4)


def test_a_captured_step_in_bf16_is_the_eager_one(begin):
    states = []
    choose_kernels(torch.device("cuda"), deterministic=True)
    try:
        for captured in (False, True):
            state, step, feed = begin(narrow("cifar10", deterministic=True), bf16=True, captured=captured)
            steps(state, step, feed, 20)
            states.append(state.nets.G.state_dict())
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(*states, rtol=0, atol=0)


def test_captured_steps_skip_what_is_not_finite(begin):
    state, step, feed = begin(narrow("fashion-mnist"), captured=True)
    while not step.graphs._parts or not step.settled:
        steps(state, step, feed, 8)
    batch = feed.batch(*state.shares()[0])
    batch.real_images[0] = float("nan")
    step(batch, step_settings(state.config, state.cur_nimg), state.cur_nimg)
    assert step.bad_steps.check(1, 0) == 1
    steps(state, step, feed, 1)
    assert step.bad_steps.check(0, 0) == 1


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_deterministic_kernels_repeat_their_bits(begin, name):
    found = []
    choose_kernels(torch.device("cuda"), deterministic=True)
    try:
        for _ in range(2):
            state, step, feed = begin(narrow(name, deterministic=True))
            steps(state, step, feed, 10)
            found.append([value.cpu() for value in state.nets.G.state_dict().values()])
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_a_step_on_the_card_is_that_of_a_cpu(begin, make_header):
    config = narrow("cifar10")
    state, step, feed = begin(config)
    there = TrainingState(config, SingleWorker(torch.device("cpu")), state.header)
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 1), dtype=np.uint8)
    own = open_feed(config, images, np.arange(IMAGES) % 2, torch.device("cpu"), Budget(2**30))
    steps(state, step, feed, 1)
    steps(there, Step(there.nets, there.objective, there.context), own, 1)
    for one, other in zip(state.nets.D.parameters(), there.nets.D.parameters(), strict=True):
        # a first step of Adam is by the sign: a gradient that is nearly zero may fall on either side
        assert ((one.cpu() - other).abs() < 1e-5).float().mean() > 0.95


def test_the_probe_measures_every_precision_and_the_best_in_every_way(begin):
    config = narrow("cifar10", precision="auto", compile=None)
    state, _, feed = begin(config)
    found = choose(Trial(config, state.nets, state.objective, feed, state.context, state.shares()))
    names = [choice.name for choice in candidates(config, torch.device("cuda"), native=True)]
    assert list(found.rates)[:3] == [f"{name} captured" for name in names]
    best = list(found.rates)[3]
    assert list(found.rates)[3:] == [f"{best}{way}" for way in ("", " compiled", " compiled captured")]
    assert min(found.rates.values()) > 0
