"""Networks from a configuration: the one place where its keys become arguments."""

from gan.config import NetworkConfig
from gan.networks.discriminator import Discriminator
from gan.networks.generator import Generator


def build_generator(network: NetworkConfig, *, channels: int, num_classes: int) -> Generator:
    """Return a new generator for images of `channels` channels and `num_classes` classes (0: unconditional)."""
    return Generator(
        resolution=network.resolution,
        channels=channels,
        num_classes=num_classes,
        latent_dim=network.latent_dim,
        embedding_dim=network.embedding_dim,
        widths=network.widths,
        blocks_per_stage=network.blocks_per_stage,
        group_width=network.group_width,
        expansion=network.expansion,
        patch=network.patch,
    )


def build_discriminator(network: NetworkConfig, *, channels: int, num_classes: int) -> Discriminator:
    """Return a new discriminator for images of `channels` channels and `num_classes` classes (0: unconditional)."""
    return Discriminator(
        resolution=network.resolution,
        channels=channels,
        num_classes=num_classes,
        embedding_dim=network.embedding_dim,
        widths=network.widths,
        blocks_per_stage=network.blocks_per_stage,
        group_width=network.group_width,
        expansion=network.expansion,
        patch=network.patch,
    )
