"""A step that is recorded and replayed is the usual one, bit for bit, whatever changes from step to step."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.configuration.schedules import StepSettings
from gan.networks.build import build_discriminator, build_generator
from gan.objective.gradients import Objective
from gan.objective.losses import LOSSES
from gan.training.context import SingleWorker
from gan.training.feed import Feed
from gan.training.graphs import WARM, Graphs
from gan.training.step import Networks, Step
from tests.unit.gan.training.tape import TapeRecorder

CPU = torch.device("cpu")
RESIDUAL = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
PLAIN = NetworkConfig(architecture="dcgan", widths=(8,), latent_dim=4, discriminator_normalisation="batch", dropout=0.2)
SPECTRAL = PLAIN.model_copy(update={"discriminator_normalisation": "spectral"})
RELATIVISTIC = Objective(LOSSES["relativistic"], ("flip", "colour", "translation", "cutout"))
SETTINGS = StepSettings(
    batch_size=6,
    r1_gamma=0.7,
    r2_gamma=0.3,
    gradient_penalty=10.0,
    penalised=False,
    penalty_scale=2.0,
    generator_too=True,
    augment_probability=0.5,
    lr=1e-3,
    beta2=0.99,
    ema_decay=0.5,
)
KINDS = [(False, True), (True, True), (False, False), (True, False)]
"""Of steps: whether it is penalised, and whether the generator is trained."""


def settings(index, *, kinds=KINDS, accumulate=1):
    """Of a step; every number is another in each."""
    penalised, generator_too = kinds[index % len(kinds)]
    return replace(
        SETTINGS,
        r1_gamma=0.1 + 0.1 * index,
        r2_gamma=1.0 / (1 + index),
        gradient_penalty=1.0 + index,
        penalised=penalised,
        generator_too=generator_too,
        augment_probability=0.05 * index,
        lr=1e-3 / (1 + index),
        beta2=0.9 + 0.005 * index,
        ema_decay=0.5 + 0.02 * index,
        accumulate=accumulate,
    )


def networks(network):
    torch.manual_seed(0)
    G = build_generator(network, channels=1, num_classes=3)
    D = build_discriminator(network, channels=1, num_classes=3)
    for parameter in (*G.parameters(), *D.parameters()):
        torch.nn.init.normal_(parameter, std=0.4)
    adams = [torch.optim.Adam(part.parameters(), betas=(0.0, 0.99), fused=True) for part in (G, D)]
    return Networks(G, D, copy.deepcopy(G).requires_grad_(False), *adams)


def state(nets):
    parts = (nets.G, nets.D, nets.G_ema, nets.G_optimizer, nets.D_optimizer)
    return copy.deepcopy([part.state_dict() for part in parts])


def recorded_by_tape(step):
    nets = step.nets
    recorder = TapeRecorder([each for part in (nets.G, nets.D) for each in part.state_dict().values()])
    step.graphs = Graphs(recorder)
    return recorder


@pytest.fixture
def feed():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)
    return Feed(images, rng.integers(0, 3, 9), seed=0, flip=True, latent_dim=4, augmentation=44, device=CPU)


def pair(network, objective):
    """The usual step, one that is recorded by tape, and its recorder."""
    usual, other = (Step(networks(network), objective, SingleWorker(CPU)) for _ in range(2))
    return usual, other, recorded_by_tape(other)


FULL = replace(RELATIVISTIC, between=True)
CASES = {
    "relativistic": (RESIDUAL, RELATIVISTIC, 1, False),
    "in bf16": (RESIDUAL, replace(RELATIVISTIC, bf16=True), 1, False),
    "in pieces": (RESIDUAL, FULL, 4, False),
    "own batch": (RESIDUAL, RELATIVISTIC, 1, True),
    "own batch in pieces": (RESIDUAL, RELATIVISTIC, 2, True),
    "ada": (
        RESIDUAL,
        Objective(LOSSES["hinge"], ("ada-geometry", "ada-colour", "cutout"), penalty_input="images"),
        1,
        True,
    ),
    "batch norm": (PLAIN, Objective(LOSSES["nonsaturating"], r1=False, r2=False), 1, False),
    "spectral": (SPECTRAL, Objective(LOSSES["wasserstein"], r1=False, r2=False, between=True), 1, False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_step_that_is_replayed_is_the_usual_one(feed, case):
    network, objective, accumulate, own_batch = CASES[case]
    kinds = [(False, each) for _, each in KINDS[::2]] if case == "batch norm" else KINDS
    usual, other, recorder = pair(network, objective)
    for index in range((WARM + 2) * len(kinds)):
        batch, own = (feed.batch(6 * index + first, 6 * index + first + 6) for first in (0, 300))
        given = settings(index, kinds=kinds, accumulate=accumulate), 6 * index, own if own_batch else None
        wanted, found = usual(batch, *given), other(batch, *given)
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)
        torch.testing.assert_close(state(other.nets), state(usual.nets), rtol=0, atol=0)
    assert other.settled
    assert other.graphs is not None
    assert len(recorder.tapes) >= len(kinds)


def test_what_a_recorded_part_gives_depends_on_nothing_but_tensors(feed):
    """Of the numbers of a step none is in a recording: the very same one serves two steps that differ in all."""
    usual, other, recorder = pair(RESIDUAL, FULL)
    for index in range(WARM + 1):
        for step in (usual, other):
            step(feed.batch(0, 6), settings(0, kinds=[(True, True)]), 6 * index)
    recorded = len(recorder.tapes)
    assert recorded == 2  # the phases of D and of G
    for index in (3, 7, 11):
        given = feed.batch(50 * index, 50 * index + 6), settings(index, kinds=[(True, True)]), 6 * index
        wanted, found = usual(*given), other(*given)
        assert {name: value.item() for name, value in found.items()} == {
            name: value.item() for name, value in wanted.items()
        }
    torch.testing.assert_close(state(other.nets), state(usual.nets), rtol=0, atol=0)
    assert len(recorder.tapes) == recorded


def test_means_of_steps_do_not_change_when_the_next_is_replayed(feed):
    _, step, _ = pair(RESIDUAL, RELATIVISTIC)
    kept = []
    for index in range(WARM + 3):
        terms = step(feed.batch(6 * index, 6 * index + 6), settings(index, kinds=[(True, True)]), 0)
        kept.append((terms, {name: value.item() for name, value in terms.items()}))
    assert all({name: value.item() for name, value in terms.items()} == values for terms, values in kept)


@pytest.mark.parametrize("failing", [1, 2])  # the phase of D, that of G
def test_a_step_that_cannot_be_recorded_goes_on_without_and_says_why(feed, failing):
    usual, other, recorder = pair(RESIDUAL, RELATIVISTIC)
    sentences, plain, calls = [], recorder.record, []

    def record(compute):
        calls.append(compute)
        if len(calls) == failing:
            compute()  # as far as it came
            try:
                raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might be …")
            finally:
                raise RuntimeError("operation failed due to a previous error during capture")
        return plain(compute)

    recorder.record = record
    other.context.warn = sentences.append
    for index in range(WARM + 3):
        given = feed.batch(6 * index, 6 * index + 6), settings(index, kinds=[(True, True)]), 6 * index
        usual(*given)
        other(*given)
    assert other.graphs is None
    assert sentences == [
        "the step cannot be recorded as CUDA graphs (operation not permitted when stream is capturing): training goes "
        "on without them"
    ]
    torch.testing.assert_close(state(other.nets), state(usual.nets), rtol=0, atol=0)


def test_memory_that_is_full_is_no_reason_to_go_on_without(feed):
    _, step, recorder = pair(RESIDUAL, RELATIVISTIC)

    def record(compute):
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    recorder.record = record
    for index in range(WARM):
        step(feed.batch(0, 6), settings(0), 6 * index)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        step(feed.batch(0, 6), settings(0), 6 * WARM)


def test_other_numbers_of_images_are_recorded_apart():
    graphs, doubled = Graphs(TapeRecorder([])), []
    for size in (2, 3, 2, 3, 2, 3, 2):
        found = graphs.run(("x", size), [torch.ones(size)], lambda inputs: inputs[0] * 2)
        doubled.append(found.tolist())
    assert doubled == [[2.0] * size for size in (2, 3, 2, 3, 2, 3, 2)]
    assert graphs.settled


def test_what_came_once_is_not_settled():
    graphs = Graphs(TapeRecorder([]))
    for _ in range(WARM):
        graphs.run("x", [torch.ones(1)], lambda inputs: inputs[0] * 2)
        assert not graphs.settled
    graphs.run("x", [torch.ones(1)], lambda inputs: inputs[0] * 2)
    assert graphs.settled


def test_an_error_of_ours_is_no_reason_to_go_on_without():
    class Broken(TapeRecorder):
        def record(self, compute):
            raise KeyError("a bug")

    graphs = Graphs(Broken([]))
    for _ in range(WARM):
        graphs.run("x", [torch.ones(1)], lambda inputs: inputs[0] * 2)
    with pytest.raises(KeyError):
        graphs.run("x", [torch.ones(1)], lambda inputs: inputs[0] * 2)
