"""What a step asks a GPU for, counted on a CPU: waits, copies, and the kernels of random draws."""

import threading
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gan.configuration.presets import preset
from gan.configuration.schedules import step_settings
from gan.objective.augment import numbers_of
from gan.training import apply_gradients as applying
from gan.training import step as module
from gan.training.context import SingleWorker
from gan.training.draws import AHEAD, draw
from gan.training.loop import open_feed
from gan.training.place import Budget
from gan.training.state import TrainingState
from gan.training.step import Step

CPU = torch.device("cpu")
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "equal"}
"""Operations whose answer the host has to have before it goes on."""


class Called(TorchDispatchMode):
    """Counts operations that are kernels on a GPU, by name."""

    def __init__(self):
        super().__init__()
        self.kernels = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if not func.is_view:
            self.kernels[func._overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def narrow(name):
    """A preset with as many layers and calls, and hardly any channels."""
    config = preset(name)
    widths = tuple(16 for _ in config.network.widths)
    network = config.network.model_copy(update={"widths": widths, "group_width": 8})
    train = config.train.model_copy(update={"batch_size": 4})
    return config.model_copy(update={"network": network, "train": train}), config.train.batch_size


@pytest.fixture(params=["cifar10", "r3gan-32", "fashion-mnist", "small-data"])
def counted(request, make_header, monkeypatch):
    """Of a preset's second step: kernels, those of what is drawn ahead, the step's images, copies from the host."""
    for place in (module, applying):
        monkeypatch.setattr(place, "seen", lambda bad: False)  # a GPU is not looked at
    config, batch_size = narrow(request.param)
    context, copies, tensor = SingleWorker(CPU), [], torch.tensor

    def counting(*args, **kwargs):
        if threading.current_thread() is threading.main_thread():  # and not what makes the order of the next pass
            copies.append(args)
        return tensor(*args, **kwargs)

    monkeypatch.setattr(torch, "tensor", counting)
    state = TrainingState(config, context, make_header(num_classes=2, class_names=("a", "b")))
    side = config.data.resolution
    images = np.zeros((9, side, side, 1), np.uint8)
    step = Step(state.nets, state.objective, context)
    with open_feed(config, images, np.zeros(9, np.int64), CPU, Budget(2**30)) as feed:
        for index in range(2):
            first = 4 * index * (2 if config.train.fresh_generator_batch else 1)
            spans = [(first, first + 4), (first + 4, first + 8)][: 2 if config.train.fresh_generator_batch else 1]
            batches = [feed.batch(*span) for span in spans]
            copies.clear()
            with Called() as called:
                step(batches[0], step_settings(config, 4 * index), 4 * index, *batches[1:])
    with Called() as drawn:
        draw(
            0, torch.arange(4), latent_dim=config.network.latent_dim, augmentation=numbers_of(config.augment.operations)
        )
    return called.kernels, drawn.kernels, len(spans) * batch_size, copies


def test_a_step_asks_the_device_nothing_and_brings_it_one_copy(counted):
    kernels, _, _, copies = counted
    assert not WAITS & set(kernels)
    assert len(copies) == 1  # the settings, all in one; what the host makes into a tensor has to be brought there


def test_random_draws_are_under_a_twentieth_of_a_steps_kernels(counted):
    kernels, drawn, images, _ = counted
    share = drawn.total() * images / AHEAD
    assert share < 0.05 * (kernels.total() + share)
