"""What steps take is foretold within a tenth of what PyTorch's allocator tells of real ones, on a CPU."""

import numpy as np
import pytest
import torch

from gan.configuration.config import AugmentConfig
from gan.configuration.presets import preset
from gan.training.loop import open_feed
from gan.training.place import Budget
from gan.training.step_memory import fitting_accumulate, in_pieces, step_memory
from tests.unit.gan.training.measured_memory import measured_bytes

CPU = torch.device("cpu")
SHAPE = {"channels": 3, "num_classes": 10}


def smaller(name, *, width=None, **train):
    """A preset, with stages of another width if asked for.

    Without augmentation then: beside so narrow networks ADA's pipe, whose kernels take as much again as it gives, would
    be most of a step.
    """
    config = preset(name)
    changes = {"train": config.train.model_copy(update=train)}
    if width:
        widths = tuple(width for _ in config.network.widths)
        changes |= {"network": config.network.model_copy(update={"widths": widths}), "augment": AugmentConfig()}
    return config.model_copy(update=changes)


CASES = {
    "digits": (smaller("digits"), False),
    "fashion-mnist": (smaller("fashion-mnist", batch_size=32), False),
    "in pieces": (smaller("small-data", batch_size=48, accumulate=3), False),
    "batch norm": (smaller("dcgan-32", batch_size=32), False),
    "wgan-gp": (smaller("wgan-gp-32", batch_size=32), False),
    "cifar10": (smaller("cifar10", width=64, batch_size=4), False),
    "cifar10 in bf16": (smaller("cifar10", width=64, batch_size=4), True),
    "r3gan": (smaller("r3gan-32", width=64, batch_size=4), False),
    "r3gan in pieces": (smaller("r3gan-32", width=64, batch_size=4, accumulate=2), False),
    "r3gan checkpointed": (smaller("r3gan-32", width=64, batch_size=4, checkpoint_activations=True), False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_step_takes_is_foretold_within_a_tenth(case, make_header):
    config, bf16 = CASES[case]
    side, count = config.data.resolution, config.train.batch_size
    images = np.random.default_rng(0).integers(0, 256, (2 * count, side, side, 3), dtype=np.uint8)
    header = make_header(channels=3, num_classes=10, class_names=tuple("0123456789"))
    with open_feed(config, images, np.arange(2 * count) % 10, CPU, Budget(2**30)) as feed:
        measured = measured_bytes(config, header, feed, bf16=bf16)
    assert step_memory(config, **SHAPE, images=count, bf16=bf16) == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize("name", ["wgan-gp-32", "cifar10"])
def test_of_many_pieces_two_are_enough_to_know(name):
    config = smaller(name, width=16, batch_size=12, accumulate=6)
    whole = step_memory(config, **SHAPE, images=12, bf16=False)
    assert in_pieces(config, 6, **SHAPE, images=12, bf16=False) == pytest.approx(whole, rel=0.05)
    assert in_pieces(config, 1, **SHAPE, images=12, bf16=False) > whole


def test_the_least_power_of_two_that_fits():
    config = smaller("digits")
    of = {count: in_pieces(config, count, **SHAPE, images=64, bf16=True) for count in (1, 2, 4, 8)}
    assert of[1] > of[2] > of[4] > of[8]
    given = {**SHAPE, "images": 64, "bf16": True}
    assert fitting_accumulate(config, **given, room=of[4]) == 4
    assert fitting_accumulate(config, **given, room=of[4] - 1) == 8
    assert fitting_accumulate(config, **given, room=2**20) is None
    assert fitting_accumulate(smaller("dcgan-32"), **given, room=2**20) is None


def test_steps_of_any_size_are_counted_without_taking_memory():
    config = smaller("cifar10", batch_size=2**16)
    assert step_memory(config, **SHAPE, images=2**16, bf16=False) > 2**40


def test_blocks_that_are_checkpointed_take_less():
    plain = smaller("r3gan-32", width=32)
    saving = smaller("r3gan-32", width=32, checkpoint_activations=True)
    of = [step_memory(each, **SHAPE, images=32, bf16=False) for each in (plain, saving)]
    assert of[1] < 0.7 * of[0]
