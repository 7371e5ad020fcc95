"""What the layers of the networks hold, compute and keep for backward passes, from their arguments alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gan.configuration.resolution import resolution_of

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import NetworkConfig

LABEL = 2
"""float32 numbers that take the room of an int64."""
TAPS = 4
"""Side of the kernel that halves the resolution: `gan.networks.resampling`."""
DC_KERNEL = 4
"""Side of DCGAN's kernels."""


@dataclass(frozen=True)
class LayerCost:
    """A layer, or a network as their sum; what is kept is counted in float32 numbers.

    Attributes:
        parameters: numbers that it learns.
        flops: operations for one image, forward.
        kept: for each image, what its forward pass keeps for a backward one.
        kept_once: the same whatever the number of images.
        kept_by_slope: for each image, what a differentiable gradient by the image keeps beyond that.
        kept_by_image: for each image, what is kept beyond `kept` where the backward pass goes on to the image: of
            layers that are not trained.
        learned: of `kept`, what is kept for the gradients of weights alone.
        learned_once: of `kept_once`, likewise.
        frozen_flops: of `flops`, those of layers that are not trained.
    """

    parameters: int = 0
    flops: int = 0
    kept: int = 0
    kept_once: int = 0
    kept_by_slope: int = 0
    kept_by_image: int = 0
    learned: int = 0
    learned_once: int = 0
    frozen_flops: int = 0

    def __add__(self, other: "LayerCost") -> "LayerCost":
        return LayerCost(
            self.parameters + other.parameters,
            self.flops + other.flops,
            self.kept + other.kept,
            self.kept_once + other.kept_once,
            self.kept_by_slope + other.kept_by_slope,
            self.kept_by_image + other.kept_by_image,
            self.learned + other.learned,
            self.learned_once + other.learned_once,
            self.frozen_flops + other.frozen_flops,
        )

    def pass_of(self, images: int, *, slope: bool = False, to_image: bool = False) -> int:
        """Numbers that a pass keeps.

        Args:
            images: that pass.
            slope: whether weights learn by a penalty on the gradient by the images.
            to_image: whether no weights learn, and the backward pass goes on to the images.
        """
        if to_image:
            return images * (self.kept + self.kept_by_image - self.learned) + self.kept_once - self.learned_once
        return images * (self.kept + (self.kept_by_slope + self.kept_by_image) * slope) + self.kept_once


def r3_generator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[LayerCost]:
    """The layers of `gan.networks.r3gan.R3Generator`."""
    widths, sides = network.widths, sides_of(network)
    yield from noise(network, num_classes)
    yield _product(inputs(network, num_classes), widths[0])
    yield LayerCost(parameters=widths[0] * sides[0] ** 2, kept=widths[0])  # the basis, times what the product gives
    for before, after, side in zip(widths, widths[1:], sides, strict=False):
        yield from _transition(network, before, after, side=side)
    yield from _stages(network)
    yield _image_conv(network, widths[-1], channels, side=sides[-1], to_image=True)


def r3_discriminator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[LayerCost]:
    """The layers of `gan.networks.r3gan.R3Discriminator`."""
    widths, sides = network.widths, sides_of(network)
    yield _slope_by_image(network, channels)
    yield _image_conv(network, widths[-1], channels, side=sides[-1], to_image=False)
    yield from _stages(network)
    for after, before, side in zip(widths, widths[1:], sides, strict=False):
        yield _halved(before, side=side)
        yield from _transition(network, before, after, side=side)
    features = embedded_size(network) if num_classes else 1
    yield LayerCost(
        parameters=widths[0] * sides[0] ** 2, kept=widths[0] * sides[0] ** 2, kept_by_slope=widths[0]
    )  # head
    yield _product(widths[0], features)
    yield from _projection(network, num_classes)


def dc_generator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[LayerCost]:
    """The layers of `gan.networks.dcgan.DCGenerator`; an activation is what the next layer keeps as its input."""
    widths, sides = network.widths, sides_of(network)
    yield from noise(network, num_classes)
    yield conv(inputs(network, num_classes), widths[0], kernel=network.base, side=1, transposed=True)
    for width, side in zip(widths, sides, strict=True):
        yield batch_norm(width, side)
    for before, after, side in zip(widths, (*widths[1:], channels), sides, strict=True):
        yield conv(before, after, kernel=DC_KERNEL, side=side, transposed=True)
    yield LayerCost(parameters=channels, kept=channels * pixels(network))  # the last bias, and tanh


def dc_discriminator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[LayerCost]:
    """The layers of `gan.networks.dcgan.DCDiscriminator`."""
    widths, sides, normalisation = network.widths, sides_of(network), network.discriminator_normalisation
    features = embedded_size(network) if num_classes else 1
    spectral = normalisation == "spectral"
    yield _slope_by_image(network, channels)
    for index, (before, after, side) in enumerate(zip((*widths[1:], channels), widths, sides, strict=True)):
        normed = normalisation == "batch" and index < len(widths) - 1  # not in the layer that an image meets
        yield conv(before, after, kernel=DC_KERNEL, side=side, stride=2, bias=not normed, spectral=spectral)
        yield LayerCost(kept=after * side**2)  # into leaky ReLU
        if normed:
            yield batch_norm(after, side)
        if network.dropout:
            yield LayerCost(kept=after)
    yield conv(widths[0], features, kernel=network.base, side=1, stride=network.base, bias=True, spectral=spectral)
    yield from _projection(network, num_classes)
    if spectral and num_classes:
        yield LayerCost(kept_once=singular(num_classes, embedded_size(network)))


def _stages(network: "NetworkConfig") -> Iterable[LayerCost]:
    """The residual blocks of a network, each with two leaky ReLUs that keep their input."""
    for width, side in zip(network.widths, sides_of(network), strict=True):
        inner = width * network.expansion
        groups = max(1, inner // network.group_width)
        block = (
            conv(width, inner, side=side, bias=True),
            conv(inner, inner, kernel=3, side=side, groups=groups, bias=True),
            conv(inner, width, side=side),
            LayerCost(kept=2 * inner * side**2),
        )
        yield from block * network.blocks_per_stage


def _transition(network: "NetworkConfig", before: int, after: int, *, side: int) -> Iterable[LayerCost]:
    """The 1x1 convolution between two stages, where there is one."""
    if before != after or network.transitions == "all":
        yield conv(before, after, side=side)


def conv(
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
) -> LayerCost:
    """A convolution: it keeps its input, and for a slope the gradient of its output.

    `side` is that of the output; of the input where the convolution is transposed.
    """
    weight = before // groups * after * kernel**2
    return LayerCost(
        parameters=weight + after * bias,
        flops=2 * weight * side**2,
        kept=before * (side * stride) ** 2,
        # the weight over its largest singular value is a tensor of its own
        kept_once=(weight + singular(after, before * kernel**2)) if spectral else 0,
        learned_once=singular(after, before * kernel**2) if spectral else 0,
        kept_by_slope=after * side**2,
    )


def _image_conv(network: "NetworkConfig", width: int, channels: int, *, side: int, to_image: bool) -> LayerCost:
    """R3GAN's convolution next to the image: 1x1, and 3x3 over patches."""
    patch, kernel = channels * network.patch**2, 1 if network.patch == 1 else 3
    before, after = (width, patch) if to_image else (patch, width)
    return conv(before, after, kernel=kernel, side=side)


def _halved(width: int, *, side: int) -> LayerCost:
    """A depthwise convolution with a kernel that is given: `side` is that of its output."""
    kernel = TAPS**2
    return LayerCost(
        flops=2 * width * kernel * side**2,
        kept=width * (2 * side) ** 2,
        kept_by_slope=width * side**2,
    )


def _product(before: int, after: int) -> LayerCost:
    """A matrix product."""
    return LayerCost(parameters=before * after, flops=2 * before * after, kept=before, kept_by_slope=after)


def batch_norm(width: int, side: int) -> LayerCost:
    """Its input, and means and variances of the batch and of the run."""
    return LayerCost(parameters=2 * width, kept=width * side**2, kept_once=4 * width)


def singular(rows: int, columns: int) -> int:
    """What spectral normalisation keeps of a matrix: its largest singular value, and the vectors on both sides."""
    return 1 + rows + columns


def pixels(network: "NetworkConfig") -> int:
    """Of an image; by the arguments, since an object with attributes alone has no `resolution`."""
    stages = len(network.widths)
    return resolution_of(network.architecture, stages, base=network.base, patch=network.patch) ** 2


def noise(network: "NetworkConfig", num_classes: int) -> Iterable[LayerCost]:
    """The class embedding beside z."""
    if num_classes:
        yield LayerCost(parameters=num_classes * network.embedding_dim, kept=LABEL)


def inputs(network: "NetworkConfig", num_classes: int) -> int:
    """Dimensions of z and of the class embedding beside it."""
    return network.latent_dim + (network.embedding_dim if num_classes else 0)


def _projection(network: "NetworkConfig", num_classes: int) -> Iterable[LayerCost]:
    """The features' product with the class embedding; where it is divided, that is the slope's beginning."""
    if num_classes:
        size, divided = embedded_size(network), network.class_scale == "unit"
        yield LayerCost(
            parameters=num_classes * size,
            kept=LABEL + 2 * size,
            kept_once=int(not divided),
            kept_by_slope=int(divided),
        )


def embedded_size(network: "NetworkConfig") -> int:
    """Dimensions of the discriminator's class embedding."""
    return network.discriminator_embedding_dim or network.embedding_dim


def _slope_by_image(network: "NetworkConfig", channels: int) -> LayerCost:
    """The gradient that a penalty squares."""
    return LayerCost(kept_by_slope=channels * pixels(network))


def sides_of(network: "NetworkConfig") -> list[int]:
    """Pixels along a side in each stage, from the first up."""
    return [network.base * 2**stage for stage in range(len(network.widths))]
