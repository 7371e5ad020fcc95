"""Networks from a configuration: the one place where its keys become arguments."""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gan.networks.dcgan import DCDiscriminator, DCGenerator
from gan.networks.interface import Discriminator, Generator
from gan.networks.projected import ProjectedDiscriminator
from gan.networks.r3gan import R3Discriminator, R3Generator
from gan.networks.skip_excitation import SkipExcitationGenerator

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import NetworkConfig


def build_generator(network: "NetworkConfig", *, channels: int, num_classes: int) -> Generator:
    """Return a new generator for images of `channels` channels and `num_classes` classes (0: unconditional)."""
    shape = _common(network, channels, num_classes) | {"latent_dim": network.latent_dim}
    generator: Generator
    if network.architecture == "dcgan":
        generator = DCGenerator(**shape)
    elif network.architecture == "projected":
        generator = SkipExcitationGenerator(**shape)
    else:
        generator = R3Generator(**shape, **_residual(network), upsampling=network.upsampling)
    _use_channels_last(generator)
    return generator


def rebuild_generator(network: "NetworkConfig", state: Any, *, channels: int, num_classes: int) -> Generator:
    """Return a generator with the weights of one, or of its form for drawing; as `build_generator`, of anyone's.

    Args:
        network: its section of a configuration.
        state: should be tensors by name, as of `state_dict`.
        channels: image channels.
        num_classes: classes, 0 for an unconditional generator.

    Raises:
        ValueError: these are not the weights of such a network.
    """
    there = _sizes(state)
    unfit = ValueError("the weights are those of another network")
    if len(network.widths) * network.blocks_per_stage > len(there):
        raise unfit  # before as many layers are made as it asks for
    shape = {"channels": channels, "num_classes": num_classes}
    try:
        # Without memory first: a configuration may ask for more than there is, its tensors cannot.
        with torch.device("meta"):
            plain = build_generator(network, **shape)
            fits_plain, fits_drawing = (_sizes(each.state_dict()) == there for each in (plain, plain.for_drawing()))
    except Exception as error:  # whatever PyTorch makes of a network that cannot be
        raise ValueError(f"there is no such network: {type(error).__name__}") from None
    if not (fits_plain or fits_drawing):
        raise unfit
    generator = build_generator(network, **shape)
    generator = generator if fits_plain else generator.for_drawing()
    try:
        generator.load_state_dict(state)
    except Exception:  # whatever PyTorch makes of tensors of other kinds
        raise unfit from None
    return generator


def _sizes(state: Any) -> dict[str, Any]:
    return {name: getattr(value, "shape", None) for name, value in state.items()} if isinstance(state, dict) else {}


def build_discriminator(network: "NetworkConfig", *, channels: int, num_classes: int) -> Discriminator:
    """Return a new discriminator for images of `channels` channels and `num_classes` classes (0: unconditional).

    Raises:
        WeightsError: it looks at images through features whose weights are not installed.
    """
    shape = _common(network, channels, num_classes)
    if network.discriminator_embedding_dim is not None:
        shape["embedding_dim"] = network.discriminator_embedding_dim
    discriminator: Discriminator
    if network.architecture == "dcgan":
        discriminator = DCDiscriminator(
            **shape, normalisation=network.discriminator_normalisation, dropout=network.dropout
        )
    elif network.architecture == "projected":
        discriminator = ProjectedDiscriminator(
            channels=channels,
            num_classes=num_classes,
            embedding_dim=shape["embedding_dim"],
            feature_side=network.feature_side,
            mixed_width=network.mixed_width,
        )
    else:
        discriminator = R3Discriminator(**shape, **_residual(network))
    _use_channels_last(discriminator)
    return discriminator


def _common(network: "NetworkConfig", channels: int, num_classes: int) -> dict[str, Any]:
    """The arguments that all four networks take."""
    return {
        "base": network.base,
        "channels": channels,
        "num_classes": num_classes,
        "embedding_dim": network.embedding_dim,
        "widths": network.widths,
    }


def _residual(network: "NetworkConfig") -> dict[str, Any]:
    return {
        "blocks_per_stage": network.blocks_per_stage,
        "group_width": network.group_width,
        "expansion": network.expansion,
        "patch": network.patch,
        "class_scale": network.class_scale,
        "transitions": network.transitions,
        "fp32_stages": network.fp32_stages,
    }


def _use_channels_last(network: nn.Module) -> None:
    """Keep convolution weights in the memory order of the activations, which is the faster one on CPUs and GPUs."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            # `contiguous` leaves the strides of one input channel as they are, which then read as the other order
            laid_out = torch.empty_like(parameter.data, memory_format=torch.channels_last)
            parameter.data = laid_out.copy_(parameter.data)
