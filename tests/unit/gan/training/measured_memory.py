"""What a step really takes on a CPU, as PyTorch's allocator tells its profiler."""

import torch
from torch.profiler import ProfilerActivity, profile

from gan.configuration.config import Config
from gan.configuration.schedules import step_settings
from gan.training.context import SingleWorker
from gan.training.state import TrainingState, shares_of
from gan.training.step import Step


def measured_bytes(config: Config, header, feed, *, bf16: bool = False) -> int:
    """Return the most bytes that networks, optimizers, batches and a step's tensors take together."""
    from dataclasses import replace

    state = TrainingState(config, SingleWorker(torch.device("cpu")), header)
    step = Step(state.nets, replace(state.objective, bf16=bf16), state.context)
    settings = replace(step_settings(config, 0), penalised=config.loss.penalised, generator_too=True)
    batches = [feed.batch(*share) for share in shares_of(config, 0, 0, 1)]
    step(batches[0], settings, 0, *batches[1:])  # Adam has its moments from now on
    there = [*state.nets.G.parameters(), *state.nets.D.parameters(), *state.nets.G_ema.parameters()]
    for optimizer in (state.nets.G_optimizer, state.nets.D_optimizer):
        there += [value for each in optimizer.state.values() for value in each.values()]
    for batch in batches:
        draws = batch.draws
        there += [batch.real_images, batch.labels, draws.seeds, draws.fake_seeds, draws.z, draws.augmentation]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as seen:
        step(batches[0], settings, 0, *batches[1:])
    taken = most = 0
    for event in sorted(
        (event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"),
        key=lambda event: event.start_ns(),
    ):
        taken += event.nbytes()
        most = max(most, taken)
    return most + sum(tensor.numel() * tensor.element_size() for tensor in there)
