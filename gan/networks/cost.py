"""What a configuration costs, in closed forms over its numbers: no network is built, and torch is not imported."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.config import Config, NetworkConfig

FP32_BYTES = 4
LABEL = 2
"""float32 numbers that take the room of an int64."""
G_COPIES = 5
"""Parameters, gradients, Adam's two moments, G_ema."""
D_COPIES = 4
"""The same without an average."""
TAPS = 4
"""Side of the kernel that halves the resolution: `gan.networks.resampling`."""
DC_KERNEL = 4
"""Side of DCGAN's kernels."""


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
            pass, in float32, with the whole batch on one worker. PyTorch itself, its kernels' scratch memory and the
            dataset come on top.
    """

    generator_parameters: int
    discriminator_parameters: int
    generator_flops: int
    discriminator_flops: int
    training_flops: int
    training_bytes: int


@dataclass(frozen=True)
class Part:
    """A layer, or a network as their sum; what is kept is counted in float32 numbers.

    Attributes:
        parameters: numbers that it learns.
        flops: operations for one image, forward.
        kept: for each image, what its forward pass keeps for a backward one.
        kept_once: the same whatever the number of images.
        kept_by_slope: for each image, what a differentiable gradient by the image keeps beyond that.
    """

    parameters: int = 0
    flops: int = 0
    kept: int = 0
    kept_once: int = 0
    kept_by_slope: int = 0

    def __add__(self, other: "Part") -> "Part":
        return Part(
            self.parameters + other.parameters,
            self.flops + other.flops,
            self.kept + other.kept,
            self.kept_once + other.kept_once,
            self.kept_by_slope + other.kept_by_slope,
        )

    def pass_of(self, images: int, *, slope: bool) -> int:
        """Numbers that a pass keeps, with the gradient by the images or without."""
        return images * (self.kept + self.kept_by_slope * slope) + self.kept_once


def network_cost(config: "Config", channels: int, num_classes: int) -> NetworkCost:
    """Return what training a configuration costs.

    Args:
        config: the configuration; its sections network, loss and train are read.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for unconditional networks.
    """
    network, loss, batch = config.network, config.loss, config.train.batch_size
    dcgan = network.architecture == "dcgan"
    layers = (_dc_generator, _dc_discriminator) if dcgan else (_r3_generator, _r3_discriminator)
    G, D = (sum(each(network, channels, num_classes), start=Part()) for each in layers)
    # A step keeps most at the end of D's phase, while G's graph still waits for its own, which has half of the images.
    kept = G.pass_of(batch, slope=False) + D.pass_of(2 * batch, slope=loss.zero_centred)
    if loss.gradient_penalty > 0:
        kept += D.pass_of(batch, slope=True)
    return NetworkCost(
        generator_parameters=G.parameters,
        discriminator_parameters=D.parameters,
        generator_flops=G.flops,
        discriminator_flops=D.flops,
        training_flops=_training_flops(config, G.flops, D.flops),
        training_bytes=FP32_BYTES * (G_COPIES * G.parameters + D_COPIES * D.parameters + kept),
    )


def _training_flops(config: "Config", of_G: int, of_D: int) -> int:
    """Operations per image of a step, from those of one image forward.

    Every product of a forward pass comes twice again in the backward pass: for the weights, and for the inputs. A
    penalty takes the gradient by the image first, and its own backward pass goes through that gradient as well. The
    few products that are not needed, at the ends of the networks, are counted all the same.
    """
    loss = config.loss
    forward, backward, penalty = 1, 2, 3
    pair = 2 * (forward + backward) * of_D
    penalties = 2 * penalty * loss.zero_centred + (forward + backward + penalty) * (loss.gradient_penalty > 0)
    # in G's phase D does not learn: fake images go forth and back, real ones forth if the loss is one of pairs
    for_G = backward * of_G + (2 + (loss.kind == "relativistic")) * of_D
    return round(forward * of_G + pair + penalties * of_D / loss.penalty_every + for_G / config.train.generator_every)


def _r3_generator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[Part]:
    """The layers of `gan.networks.r3gan.R3Generator`."""
    widths, sides = network.widths, _sides(network)
    yield from _noise(network, num_classes)
    yield _product(_inputs(network, num_classes), widths[0])
    yield Part(parameters=widths[0] * sides[0] ** 2, kept=widths[0])  # the basis, times what the product gives
    for before, after, side in zip(widths, widths[1:], sides, strict=False):
        yield _conv(before, after, side=side)
    yield from _stages(network)
    yield _image_conv(network, widths[-1], channels, side=sides[-1], to_image=True)


def _r3_discriminator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[Part]:
    """The layers of `gan.networks.r3gan.R3Discriminator`."""
    widths, sides = network.widths, _sides(network)
    yield _slope_by_image(network, channels)
    yield _image_conv(network, widths[-1], channels, side=sides[-1], to_image=False)
    yield from _stages(network)
    for after, before, side in zip(widths, widths[1:], sides, strict=False):
        yield _halved(before, side=side)
        yield _conv(before, after, side=side)
    features = network.embedding_dim if num_classes else 1
    yield Part(parameters=widths[0] * sides[0] ** 2, kept=widths[0] * sides[0] ** 2, kept_by_slope=widths[0])  # head
    yield _product(widths[0], features)
    yield from _projection(network, num_classes)


def _dc_generator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[Part]:
    """The layers of `gan.networks.dcgan.DCGenerator`; an activation is what the next layer keeps as its input."""
    widths, sides = network.widths, _sides(network)
    yield from _noise(network, num_classes)
    yield _conv(_inputs(network, num_classes), widths[0], kernel=network.base, side=1, transposed=True)
    for width, side in zip(widths, sides, strict=True):
        yield _batch_norm(width, side)
    for before, after, side in zip(widths, (*widths[1:], channels), sides, strict=True):
        yield _conv(before, after, kernel=DC_KERNEL, side=side, transposed=True)
    yield Part(parameters=channels, kept=channels * network.resolution**2)  # the last bias, and tanh


def _dc_discriminator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[Part]:
    """The layers of `gan.networks.dcgan.DCDiscriminator`."""
    widths, sides, normalisation = network.widths, _sides(network), network.discriminator_normalisation
    features = network.embedding_dim if num_classes else 1
    spectral = normalisation == "spectral"
    yield _slope_by_image(network, channels)
    for index, (before, after, side) in enumerate(zip((*widths[1:], channels), widths, sides, strict=True)):
        normed = normalisation == "batch" and index < len(widths) - 1  # not in the layer that an image meets
        yield _conv(before, after, kernel=DC_KERNEL, side=side, stride=2, bias=not normed, spectral=spectral)
        yield Part(kept=after * side**2)  # into leaky ReLU
        if normed:
            yield _batch_norm(after, side)
        if network.dropout:
            yield Part(kept=after)
    yield _conv(widths[0], features, kernel=network.base, side=1, stride=network.base, bias=True, spectral=spectral)
    yield from _projection(network, num_classes)
    if spectral and num_classes:
        yield Part(kept_once=_singular(num_classes, network.embedding_dim))


def _stages(network: "NetworkConfig") -> Iterable[Part]:
    """The residual blocks of a network, each with two leaky ReLUs that keep their input."""
    for width, side in zip(network.widths, _sides(network), strict=True):
        inner = width * network.expansion
        groups = max(1, inner // network.group_width)
        block = (
            _conv(width, inner, side=side, bias=True),
            _conv(inner, inner, kernel=3, side=side, groups=groups, bias=True),
            _conv(inner, width, side=side),
            Part(kept=2 * inner * side**2),
        )
        yield from block * network.blocks_per_stage


def _conv(
    before: int,
    after: int,
    *,
    side: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    transposed: bool = False,
    bias: bool = False,
    spectral: bool = False,
) -> Part:
    """A convolution: it keeps its input, and for a slope the gradient of its output.

    `side` is that of the output; of the input where the convolution is transposed.
    """
    weight = before // groups * after * kernel**2
    return Part(
        parameters=weight + after * bias,
        flops=2 * weight * side**2,
        kept=before * (side * stride) ** 2,
        # the weight over its largest singular value is a tensor of its own
        kept_once=(weight + _singular(after, before * kernel**2)) if spectral else 0,
        kept_by_slope=after * side**2,
    )


def _image_conv(network: "NetworkConfig", width: int, channels: int, *, side: int, to_image: bool) -> Part:
    """R3GAN's convolution next to the image: 1x1, and 3x3 over patches."""
    patch, kernel = channels * network.patch**2, 1 if network.patch == 1 else 3
    before, after = (width, patch) if to_image else (patch, width)
    return _conv(before, after, kernel=kernel, side=side)


def _halved(width: int, *, side: int) -> Part:
    """A depthwise convolution with a kernel that is given: `side` is that of its output."""
    kernel = TAPS**2
    return Part(
        flops=2 * width * kernel * side**2,
        kept=width * (2 * side) ** 2,
        kept_once=kernel,
        kept_by_slope=width * side**2,
    )


def _product(before: int, after: int) -> Part:
    """A matrix product."""
    return Part(parameters=before * after, flops=2 * before * after, kept=before, kept_by_slope=after)


def _batch_norm(width: int, side: int) -> Part:
    """Its input, and means and variances of the batch and of the run."""
    return Part(parameters=2 * width, kept=width * side**2, kept_once=4 * width)


def _singular(rows: int, columns: int) -> int:
    """What spectral normalisation keeps of a matrix: its largest singular value, and the vectors on both sides."""
    return 1 + rows + columns


def _noise(network: "NetworkConfig", num_classes: int) -> Iterable[Part]:
    """The class embedding beside z."""
    if num_classes:
        yield Part(parameters=num_classes * network.embedding_dim, kept=LABEL)


def _inputs(network: "NetworkConfig", num_classes: int) -> int:
    return network.latent_dim + (network.embedding_dim if num_classes else 0)


def _projection(network: "NetworkConfig", num_classes: int) -> Iterable[Part]:
    """The features' product with the class embedding; its scale is the slope's beginning."""
    if num_classes:
        size = network.embedding_dim
        yield Part(parameters=num_classes * size, kept=LABEL + 2 * size, kept_by_slope=1)


def _slope_by_image(network: "NetworkConfig", channels: int) -> Part:
    """The gradient that a penalty squares."""
    return Part(kept_by_slope=channels * network.resolution**2)


def _sides(network: "NetworkConfig") -> list[int]:
    """Pixels along a side in each stage, from the first up."""
    return [network.base * 2**stage for stage in range(len(network.widths))]
