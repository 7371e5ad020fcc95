"""A grouped convolution whose gradients of gradients are grouped convolutions too.

PyTorch takes the second derivative of a grouped convolution group by group, in hundreds of small calls a layer. But a
convolution and its two gradients are each linear in each of two tensors, so each one's gradients are the other two.
"""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.device.process_setting import ProcessSetting

Geometry = tuple[int, int, int]
"""Stride, padding and groups of a convolution."""


def _plain(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    stride, padding, groups = geometry
    return F.conv2d(x, weight, stride=stride, padding=padding, groups=groups)


def _input_gradient(gy: Tensor, weight: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
    """Gradient of <conv(x, weight), gy> by x, of which only the shape counts."""
    return _gradients(gy, x, weight, geometry, by_input=True)[0]


def _weight_gradient(gy: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """Gradient of <conv(x, weight), gy> by the weight, of which only the shape counts."""
    return _gradients(gy, x, weight, geometry, by_input=False)[1]


def _gradients(gy: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, *, by_input: bool) -> tuple[Tensor, Tensor]:
    stride, padding, groups = geometry
    found = torch.ops.aten.convolution_backward(
        gy, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, [by_input, not by_input, False]
    )
    return found[0], found[1]


_INPUT_ALONE = ProcessSetting(lambda: None, lambda _: None)


def without_weight_gradients() -> AbstractContextManager[None]:
    """Within this block no backward pass computes the gradient of a grouped convolution by its weight.

    What PyTorch asks of an `autograd.Function` says nothing of which gradients a call of `autograd.grad` is for, so
    that those by the weights would be computed and thrown away. Not for each thread: on a GPU backward passes run in
    one of PyTorch's own.

    Reference: `no_weight_gradients` of the code of Karras et al., "Analyzing and Improving the Image Quality of
    StyleGAN", CVPR 2020.
    """
    return _INPUT_ALONE()


def weights_wanted() -> bool:
    """Whether backward passes compute gradients by weights: not within `without_weight_gradients`."""
    return not _INPUT_ALONE.holders


class _Conv(torch.autograd.Function):
    """conv(x, w)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return _plain(x, weight, geometry)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        by_x, by_weight, _ = ctx.needs_input_grad
        by_weight = by_weight and weights_wanted()
        return (
            _InputGradient.apply(gy, weight, x, ctx.geometry) if by_x else None,  # type: ignore[no-untyped-call]
            _WeightGradient.apply(gy, x, weight, ctx.geometry) if by_weight else None,  # type: ignore[no-untyped-call]
            None,
        )


class _InputGradient(torch.autograd.Function):
    """The gradient by x as a function of gy and w: <its cotangent c, it> = <conv(c, w), gy>."""

    @staticmethod
    def forward(ctx: Any, gy: Tensor, weight: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(gy, weight)
        ctx.geometry = geometry
        return _input_gradient(gy, weight, x, geometry)

    @staticmethod
    def backward(ctx: Any, c: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        gy, weight = ctx.saved_tensors
        by_gy, by_weight = ctx.needs_input_grad[:2]
        return (
            _Conv.apply(c, weight, ctx.geometry) if by_gy else None,  # type: ignore[no-untyped-call]
            _WeightGradient.apply(gy, c, weight, ctx.geometry) if by_weight else None,  # type: ignore[no-untyped-call]
            None,
            None,
        )


class _WeightGradient(torch.autograd.Function):
    """The gradient by w as a function of gy and x: <its cotangent c, it> = <conv(x, c), gy>."""

    @staticmethod
    def forward(ctx: Any, gy: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(gy, x)
        ctx.geometry = geometry
        return _weight_gradient(gy, x, weight, geometry)

    @staticmethod
    def backward(ctx: Any, c: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        gy, x = ctx.saved_tensors
        by_gy, by_x = ctx.needs_input_grad[:2]
        return (
            _Conv.apply(x, c, ctx.geometry) if by_gy else None,  # type: ignore[no-untyped-call]
            _InputGradient.apply(gy, c, x, ctx.geometry) if by_x else None,  # type: ignore[no-untyped-call]
            None,
            None,
        )


def grouped_conv2d(x: Tensor, weight: Tensor, *, stride: int = 1, padding: int = 0, groups: int) -> Tensor:
    """As `torch.nn.functional.conv2d`, which it is where no gradient is taken or there is one group.

    Args:
        x: [N, C, H, W].
        weight: [C', C / groups, K, K].
        stride: of the kernel.
        padding: zeros around the image.
        groups: groups of channels; C for a depthwise convolution.

    Returns:
        [N, C', H', W'].
    """
    geometry = (stride, padding, groups)
    if groups == 1 or not torch.is_grad_enabled():
        return _plain(x, weight, geometry)
    if torch.is_autocast_enabled(x.device.type):
        x, weight = (each.to(torch.get_autocast_dtype(x.device.type)) for each in (x, weight))
    y: Tensor = _Conv.apply(x, weight, geometry)  # type: ignore[no-untyped-call]
    return y


class GroupedConv2d(nn.Conv2d):
    """`nn.Conv2d` by `grouped_conv2d`.

    Args:
        channels: C, of input and output.
        kernel_size: side of the kernel.
        groups: groups of channels; C for a depthwise convolution.
        padding: zeros around the image.
        bias: whether there is one.
    """

    def __init__(self, channels: int, kernel_size: int, *, groups: int, padding: int = 0, bias: bool = False) -> None:
        super().__init__(channels, channels, kernel_size, padding=padding, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C, H', W']."""
        if self.groups == 1:
            return super().forward(x)
        y = grouped_conv2d(x, self.weight, padding=int(self.padding[0]), groups=self.groups)
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]
