"""The memory that a step takes, counted on tensors that take none: the very step, on networks of the configuration."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from gan.configuration.schedules import step_settings
from gan.device.live_bytes import LiveBytes
from gan.networks.build import build_discriminator, build_generator
from gan.networks.interface import trained
from gan.networks.residual import checkpoint_blocks
from gan.objective.augment import numbers_of
from gan.training.context import SingleWorker
from gan.training.draws import Draws
from gan.training.feed import Batch
from gan.training.partial import freeze_stages
from gan.training.pieces import columns_of
from gan.training.state import objective_of
from gan.training.step import Networks, Step

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import Config

CPU = torch.device("cpu")
SCRATCH = 1.12
"""Times the tensors of a step, with what convolutions take for themselves meanwhile: 1.05 to 1.2 on a CPU."""


def step_memory(config: "Config", *, channels: int, num_classes: int, images: int, bf16: bool) -> int:
    """Return bytes of a worker's step at the moment when they are most, within a tenth of what a CPU's allocator tells.

    PyTorch itself and the dataset come on top.

    Args:
        config: the run's configuration.
        channels: of the images.
        num_classes: that the networks tell apart; 0 for unconditional ones.
        images: of the worker's part of a batch, which is cut into `train.accumulate` pieces.
        bf16: whether networks run in bfloat16, as on a CPU: a GPU halves resolutions in it, too, and takes less.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode  # a second, which a training without a forecast has not

    with FakeTensorMode(allow_non_fake_inputs=True), LiveBytes() as live:
        step = Step(
            _networks(config, channels=channels, num_classes=num_classes),
            replace(objective_of(config), bf16=bf16),
            SingleWorker(CPU),
        )
        batches = [_batch(config, images, channels) for _ in range(2 if config.train.fresh_generator_batch else 1)]
        # of all kinds of steps the one with everything in it takes most
        settings = replace(step_settings(config, 0), penalised=config.loss.penalised, generator_too=True)
        live.restart()
        step(batches[0], settings, 0, *batches[1:])
    return int(SCRATCH * live.most)


def fitting_accumulate(
    config: "Config", *, channels: int, num_classes: int, images: int, bf16: bool, room: int
) -> int | None:
    """Return the least power of two for `train.accumulate` with which steps take no more than `room` bytes.

    Args:
        config: the run's configuration.
        channels: as of `step_memory`.
        num_classes: likewise.
        images: likewise.
        bf16: likewise.
        room: bytes.

    Returns:
        None where there is none: single images are too large, or D judges all of a batch together.
    """
    if config.network.discriminator_normalisation == "batch":
        return None
    count = 2 * config.train.accumulate
    if images * _batch_bytes(config, channels) > room:
        return None
    while count <= images:
        if in_pieces(config, count, channels=channels, num_classes=num_classes, images=images, bf16=bf16) <= room:
            return count
        count *= 2
    return None


def in_pieces(config: "Config", count: int, *, channels: int, num_classes: int, images: int, bf16: bool) -> int:
    """Return `step_memory` with so many pieces; of more than two, two are looked at, for the others are like them."""
    looked_at, piece = min(count, 2), -(-images // count)
    train = config.train.model_copy(update={"accumulate": looked_at})
    config = config.model_copy(update={"train": train})
    shape = {"channels": channels, "num_classes": num_classes}
    found = step_memory(config, **shape, images=looked_at * piece, bf16=bf16)
    return found + (images - looked_at * piece) * _batch_bytes(config, channels)


def _networks(config: "Config", *, channels: int, num_classes: int) -> Networks:
    shape = {"channels": channels, "num_classes": num_classes}
    G, G_ema = (build_generator(config.network, **shape) for _ in range(2))
    D = build_discriminator(config.network, **shape)
    freeze_stages(D, config.train.freeze_d)
    if config.train.checkpoint_activations:
        checkpoint_blocks(G)
        checkpoint_blocks(D)
    return Networks(G, D, G_ema.eval().requires_grad_(False), _adam(G), _adam(D))


def _adam(network: torch.nn.Module) -> torch.optim.Optimizer:
    """An optimizer that has its moments already."""
    adam = torch.optim.Adam(trained(network), fused=True)
    for parameter in trained(network):
        parameter.grad = torch.zeros_like(parameter)
    adam.step()
    network.zero_grad(set_to_none=True)
    return adam


def _batch(config: "Config", images: int, channels: int) -> Batch:
    def numbers() -> torch.Tensor:
        return torch.zeros(images, dtype=torch.int64)

    side = config.data.resolution
    draws = Draws(
        seeds=numbers(),
        fake_seeds=numbers(),
        mirrored=torch.zeros(images, dtype=torch.uint8),
        z=torch.zeros(images, config.network.latent_dim),
        augmentation=torch.zeros(images, 2, numbers_of(config.augment.operations)),
    )
    real_images = torch.zeros(images, side, side, channels).permute(0, 3, 1, 2)
    return Batch(numbers(), numbers(), draws, real_images, numbers())


def _batch_bytes(config: "Config", channels: int) -> int:
    """Of an image of a worker's batches, before anything is computed."""
    batches = 2 if config.train.fresh_generator_batch else 1
    return batches * sum(tensor.nbytes for tensor in columns_of(_batch(config, 1, channels)))
