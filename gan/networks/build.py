"""Networks from a configuration: the one place where its keys become arguments."""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gan.networks.discriminator import Discriminator
from gan.networks.generator import Generator
from gan.networks.resolution import resolution_of

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.config import NetworkConfig


def build_generator(network: "NetworkConfig", *, channels: int, num_classes: int) -> Generator:
    """Return a new generator for images of `channels` channels and `num_classes` classes (0: unconditional)."""
    generator = Generator(latent_dim=network.latent_dim, **_shape(network, channels, num_classes))
    _use_channels_last(generator)
    return generator


def build_discriminator(network: "NetworkConfig", *, channels: int, num_classes: int) -> Discriminator:
    """Return a new discriminator for images of `channels` channels and `num_classes` classes (0: unconditional)."""
    discriminator = Discriminator(**_shape(network, channels, num_classes))
    _use_channels_last(discriminator)
    return discriminator


def _shape(network: "NetworkConfig", channels: int, num_classes: int) -> dict[str, Any]:
    """The arguments that both networks take."""
    return {
        "resolution": resolution_of(len(network.widths), network.patch),
        "channels": channels,
        "num_classes": num_classes,
        "embedding_dim": network.embedding_dim,
        "widths": network.widths,
        "blocks_per_stage": network.blocks_per_stage,
        "group_width": network.group_width,
        "expansion": network.expansion,
        "patch": network.patch,
    }


def _use_channels_last(network: nn.Module) -> None:
    """Keep convolution weights in the memory order of the activations, which is the faster one on CPUs and GPUs."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
