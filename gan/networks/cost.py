"""What a configuration costs, in closed forms over its numbers: no network is built, and torch is not imported."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gan.configuration.schedules import has_r1, has_r2
from gan.networks.layer_cost import LayerCost, dc_discriminator, dc_generator, r3_discriminator, r3_generator
from gan.networks.projected_cost import projected_discriminator, skip_generator

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import Config

FP32_BYTES = 4
G_COPIES = 5
"""Parameters, gradients, Adam's two moments, G_ema."""
D_COPIES = 4
"""The same without an average."""


LAYERS = {
    "r3gan": (r3_generator, r3_discriminator),
    "dcgan": (dc_generator, dc_discriminator),
    "projected": (skip_generator, projected_discriminator),
}


@dataclass(frozen=True)
class NetworkCost:
    """What two networks and their training cost.

    A multiplication and an addition are two operations. Those of convolutions and matrix products are counted; the
    others are few beside them.

    Attributes:
        generator_parameters: numbers that G learns.
        discriminator_parameters: numbers that D learns.
        generator_flops: operations for one image, forward.
        discriminator_flops: operations for one image, forward.
        training_flops: operations for one image of the run's budget: D on it and on a fake one, G, and G's phase and
            the penalties by their share of the steps.
        training_bytes: parameters, gradients, Adam's moments, G_ema, and what the largest phase keeps for its backward
            pass, in float32, with the whole batch on one worker, of one of its pieces. PyTorch itself, its kernels'
            scratch memory and the dataset come on top.
    """

    generator_parameters: int
    discriminator_parameters: int
    generator_flops: int
    discriminator_flops: int
    training_flops: int
    training_bytes: int


def network_cost(config: "Config", channels: int, num_classes: int) -> NetworkCost:
    """Return what training a configuration costs.

    Args:
        config: the configuration; its sections network, loss and train are read.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for unconditional networks.
    """
    network, loss = config.network, config.loss
    piece = -(-config.train.batch_size // config.train.accumulate)
    G, D = (sum(each(network, channels, num_classes), start=LayerCost()) for each in LAYERS[network.architecture])
    of_G, of_D = G.pass_of(piece), D.pass_of(2 * piece, slope=has_r1(loss))
    if has_r1(loss) != has_r2(loss):  # real and fake images then pass apart
        of_D = D.pass_of(piece, slope=True) + D.pass_of(piece)
    if loss.gradient_penalty > 0:
        of_D += D.pass_of(piece, slope=True)
    # While G's graph waits for its own phase, D's has twice the images, but no way through layers that are not trained.
    to_image = D.pass_of(piece, to_image=True)
    kept = of_G + max(of_D, to_image)
    if _passes_again(config):  # nothing of G waits then, but the gradients of the pieces before do
        before = config.train.accumulate > 1
        kept = max(of_D + before * D.parameters, of_G + to_image + before * G.parameters)
    return NetworkCost(
        generator_parameters=G.parameters,
        discriminator_parameters=D.parameters,
        generator_flops=G.flops,
        discriminator_flops=D.flops,
        training_flops=_training_flops(config, G, D),
        training_bytes=FP32_BYTES * (G_COPIES * G.parameters + D_COPIES * D.parameters + kept),
    )


def _passes_again(config: "Config") -> bool:
    """Whether G's phase makes its images once more: of pieces each does, and of a batch of its own."""
    return config.train.accumulate > 1 or config.train.fresh_generator_batch


def _training_flops(config: "Config", G: LayerCost, D: LayerCost) -> int:
    """Operations per image of a step, from those of one image forward.

    Every product of a forward pass comes twice again in the backward pass: for the weights, and for the inputs. A
    penalty takes the gradient by the image first, and its own backward pass goes through that gradient as well. The
    few products that are not needed, at the ends of the networks, are counted all the same. Layers of D that are not
    trained have no products for weights, and in D's phase none but a penalty's goes back through them.
    """
    loss, of_G, of_D = config.loss, G.flops, D.flops
    forward, backward, penalty = 1, 2, 3
    pair = 2 * (forward + backward) * of_D
    penalties = penalty * (has_r1(loss) + has_r2(loss)) + (forward + backward + penalty) * (loss.gradient_penalty > 0)
    # in G's phase D does not learn: fake images go forth and back, real ones forth if the loss is one of pairs
    for_G = backward * of_G + (2 + (loss.kind == "relativistic")) * of_D
    for_G += forward * of_G * _passes_again(config)
    spared = has_r1(loss) + has_r2(loss) + (backward + 1) * (loss.gradient_penalty > 0)
    frozen = D.frozen_flops * (2 * backward + spared / loss.penalty_every)
    at_D = pair + penalties * of_D / loss.penalty_every - frozen
    return round(forward * of_G + at_D + for_G / config.train.generator_every)
