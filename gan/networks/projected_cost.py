"""What the layers of the networks for few images hold, compute and keep; without torch, as `layer_cost`."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from gan.networks.feature_scales import STEM_WIDTH, STRIDES, WIDTHS, Block, blocks_of_scales
from gan.networks.few_shot_shape import LAST_KERNEL, SKIPPED, convolutions_of, mixed_widths
from gan.networks.layer_cost import (
    LABEL,
    LayerCost,
    batch_norm,
    conv,
    embedded_size,
    inputs,
    noise,
    pixels,
    sides_of,
    singular,
)

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import NetworkConfig

DOWN_KERNEL = 4
"""Side of the convolutions of a head that halve."""


def skip_generator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[LayerCost]:
    """The layers of `gan.networks.skip_excitation.SkipExcitationGenerator`."""
    widths, sides = network.widths, sides_of(network)
    yield from noise(network, num_classes)
    yield conv(inputs(network, num_classes), 2 * widths[0], kernel=network.base, side=1, transposed=True)
    yield from _normed_and_gated(widths[0], sides[0])
    for index in range(1, len(widths)):
        for convolution in range(convolutions_of(index)):
            before = widths[index] if convolution else widths[index - 1]
            yield conv(before, 2 * widths[index], kernel=3, side=sides[index])
            yield from _normed_and_gated(widths[index], sides[index])
        if index >= SKIPPED:
            yield from _excitation(network, widths[index - SKIPPED], widths[index], sides[index - SKIPPED])
            yield LayerCost(kept=widths[index] * sides[index] ** 2)  # what is excited
    yield conv(widths[-1], channels, kernel=3, side=sides[-1], bias=True)
    yield LayerCost(kept=channels * pixels(network))  # tanh


def _normed_and_gated(width: int, side: int) -> Iterable[LayerCost]:
    """Batch normalisation of twice the channels, of which half gate the others."""
    yield batch_norm(2 * width, side)
    yield LayerCost(kept=3 * width * side**2)  # values, gates, and these as factors


def _excitation(network: "NetworkConfig", before: int, after: int, side: int) -> Iterable[LayerCost]:
    """From a coarse stage to a factor for each channel of a fine one."""
    base = network.base
    if side > base:
        yield LayerCost(kept=before * side**2)  # what is averaged
    yield conv(before, after, kernel=base, side=1, stride=base)
    yield LayerCost(kept=after)  # into the activation
    yield conv(after, after, side=1)
    yield LayerCost(kept=after)  # the factor


def projected_discriminator(network: "NetworkConfig", channels: int, num_classes: int) -> Iterable[LayerCost]:
    """The layers of `gan.networks.projected.ProjectedDiscriminator`."""
    side = network.feature_side
    mixed = mixed_widths(network.mixed_width, len(STRIDES))
    sides = [side // stride for stride in STRIDES]
    yield from (_frozen(layer) for layer in _features(side))
    for before, after, of_scale in zip(WIDTHS, mixed, sides, strict=True):
        yield _frozen(conv(before, after, side=of_scale), again=of_scale != sides[-1])
    for fine, coarse, of_coarse in zip(mixed, mixed[1:], sides[1:], strict=False):
        yield _frozen(conv(coarse, fine, kernel=3, side=of_coarse), again=True)
    if num_classes:
        yield LayerCost(kept=LABEL, learned=LABEL)
    for scale, width in enumerate(mixed):
        yield from _head(network, width, sides[scale], len(mixed) - 1 - scale, num_classes)


def _head(network: "NetworkConfig", width: int, side: int, halvings: int, num_classes: int) -> Iterable[LayerCost]:
    """The layers of `gan.networks.projected.Head`."""
    yield conv(width, width, side=side, bias=True, spectral=True)
    yield LayerCost(kept=width * side**2)
    for _ in range(halvings):
        side //= 2
        yield conv(width, 2 * width, kernel=DOWN_KERNEL, side=side, stride=2, bias=True, spectral=True)
        width *= 2
        yield LayerCost(kept=width * side**2)
    kernel, size = min(LAST_KERNEL, side), embedded_size(network) if num_classes else 1
    places = side - kernel + 1
    last = conv(width, size, kernel=kernel, side=places, bias=True, spectral=True)
    yield replace(last, kept=width * side**2)
    if num_classes:
        once, of_head = singular(num_classes, size), size * places**2
        yield LayerCost(num_classes * size, kept=of_head + size, kept_once=once, learned=of_head, learned_once=once)


def _features(side: int) -> Iterable[LayerCost]:
    """The layers of `gan.networks.efficientnet.FrozenFeatures`."""
    stem = conv(3, STEM_WIDTH, kernel=3, side=side // 2, stride=2)
    yield from _activated(_padded(stem, 3, 3, side, 2), STEM_WIDTH, side // 2)
    side //= 2
    for scale in blocks_of_scales():
        for _, block in scale:
            yield from _block(block, side)
            side //= block.stride


def _block(block: Block, side: int) -> Iterable[LayerCost]:
    inner, after = block.before * block.expansion, side // block.stride
    if block.expansion > 1:
        yield from _activated(conv(block.before, inner, side=side), inner, side)
    depthwise = conv(inner, inner, kernel=block.kernel, side=after, stride=block.stride, groups=inner)
    yield from _activated(_padded(depthwise, inner, block.kernel, side, block.stride), inner, after)
    yield conv(inner, block.after, side=after)


def _padded(layer: LayerCost, channels: int, kernel: int, side: int, stride: int) -> LayerCost:
    """A convolution that keeps its input with the zeros around it, where these are uneven."""
    kept = channels * (side + (kernel - stride) * (stride > 1)) ** 2
    return LayerCost(flops=layer.flops, kept=kept, kept_by_slope=layer.kept_by_slope)


def _activated(layer: LayerCost, width: int, side: int) -> Iterable[LayerCost]:
    """A convolution and ReLU6, which keeps its input."""
    yield layer
    yield LayerCost(kept=width * side**2)


def _frozen(layer: LayerCost, *, again: bool = False) -> LayerCost:
    """A layer that is not trained, and keeps nothing unless for a gradient by the image; `again`: others keep it."""
    return LayerCost(
        flops=layer.flops,
        frozen_flops=layer.flops,
        kept_by_image=0 if again else layer.kept,
        kept_by_slope=layer.kept_by_slope,
    )
