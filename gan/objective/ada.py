"""The augmentation pipe of ADA, as R3GAN takes it: geometry and colours, each part applied by a probability of its own.

Reference: Karras, Aittala, Hellsten, Laine, Lehtinen, Aila, "Training Generative Adversarial Networks with Limited
Data", NeurIPS 2020, section 2.2, figure 4a and appendix B.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

GEOMETRY_NUMBERS, COLOUR_NUMBERS = 18, 10
"""Uniform numbers that the two take for an image."""
SCALE_STD, ANISOTROPY_STD, SHIFT_STD, MOST_WHOLE_SHIFT = 0.2, 0.2, 0.125, 0.125
"""Of the binary logarithm of scales, and of moves in sides of the image."""
BRIGHTNESS_STD, CONTRAST_STD, SATURATION_STD = 0.2, 0.5, 1.0
"""Of half the range of values, and of binary logarithms."""
WAVELET = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
"""Daubechies' symlet of 12 taps, the low-pass filter around the resampling."""
MARGIN = len(WAVELET) // 4
_CONSTANTS = {
    "taps": torch.tensor(WAVELET) / sum(WAVELET),
    # the cross product with the grey axis, as a matrix
    "across": torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3.0),
}
_NUMBERS = {name: constant.flatten().tolist() for name, constant in _CONSTANTS.items()}
_THERE: dict[tuple[str, torch.device], Tensor] = {}
"""Constants on devices other than the CPU."""


def geometry(images: Tensor, draws: Tensor, probability: Tensor | float) -> Tensor:
    """Mirror, turn, move and scale images [N, C, S, S] float32 in one resampling; twice differentiable by them.

    Args:
        images: beyond their edges they are mirrored.
        draws: [N, GEOMETRY_NUMBERS] float32 in [0, 1).
        probability: of each of x-flips, quarter turns, whole moves, scaling, turning, stretching and fractional moves.
    """
    return resample(images, *inverse_map(draws, probability, images.shape[3]))


def inverse_map(draws: Tensor, probability: Tensor | float, side: int) -> tuple[Tensor, Tensor]:
    """Return [N, 2, 2] and [N, 2]: from places in the result to those in the image, in pixels around the centre."""
    u = draws.unbind(1)

    def if_chosen(place: int, value: Tensor, chance: Tensor | float = probability) -> Tensor:
        return torch.where(u[place] < chance, value, 0.0)

    # of the binary logarithms of scales and the angles, zero is no change; so it is of moves
    linear = torch.eye(2, device=draws.device).expand(len(draws), 2, 2)
    mirrored = 1.0 - 2.0 * if_chosen(0, (u[1] * 2.0).floor())
    linear = linear * torch.stack([mirrored, torch.ones_like(mirrored)], dim=1)[:, None]
    linear = _product(linear, _rotation(0.5 * math.pi * if_chosen(2, (u[3] * 4.0).floor())))
    whole = torch.stack([((2.0 * each - 1.0) * MOST_WHOLE_SHIFT * side).round() for each in (u[5], u[6])], dim=1)
    offset = -_apply(linear, torch.where((u[4] < probability)[:, None], whole, 0.0))
    linear = linear * torch.exp2(-if_chosen(7, _normal(u[8]) * SCALE_STD))[:, None, None]
    # before and after stretching, so that one of the two comes with the probability
    turning = 1.0 - (1.0 - torch.as_tensor(probability, device=draws.device)).clamp(0.0, 1.0).sqrt()
    linear = _product(linear, _rotation(math.pi * if_chosen(9, 2.0 * u[10] - 1.0, turning)))
    stretched = if_chosen(11, _normal(u[12]) * ANISOTROPY_STD)
    linear = linear * torch.exp2(torch.stack([-stretched, stretched], dim=1))[:, None]
    linear = _product(linear, _rotation(math.pi * if_chosen(13, 2.0 * u[14] - 1.0, turning)))
    moved = torch.stack([_normal(each) * (SHIFT_STD * side) for each in (u[16], u[17])], dim=1)
    return linear, offset - _apply(linear, torch.where((u[15] < probability)[:, None], moved, 0.0))


def resample(images: Tensor, linear: Tensor, offset: Tensor) -> Tensor:
    """Take images [N, C, S, S] at other places, by twice their resolution and the low-pass filter on both sides of it.

    Args:
        images: as above.
        linear: [N, 2, 2], as of `inverse_map`.
        offset: [N, 2].
    """
    count, channels, side = images.shape[:3]
    # the most that is ever mirrored: how much a map needs is known on the device alone
    padded = F.pad(images, [side - 1] * 4, mode="reflect")
    doubled = _doubled(padded.reshape(count * channels, 1, *padded.shape[2:])).view(count, channels, *_twice(padded))
    source, result = doubled.shape[3], 2 * (side + 2 * MARGIN)
    offset = 2.0 * offset + 0.5 * linear.sum(dim=2) - 0.5
    theta = torch.cat([linear * (result / source), offset[:, :, None] * (2.0 / source)], dim=2)
    taken = sampled(doubled, _grid(theta, result))
    return _halved(taken.reshape(count * channels, 1, result, result)).view_as(images)


def colours(images: Tensor, draws: Tensor, probability: Tensor | float) -> Tensor:
    """Change brightness, contrast, luma, hue and saturation of images [N, C, H, W] float32 in about [-1, 1].

    Args:
        images: of one channel have no hue nor saturation.
        draws: [N, COLOUR_NUMBERS] float32 in [0, 1).
        probability: of each.
    """
    u = draws.unbind(1)

    def if_chosen(place: int, value: Tensor) -> Tensor:
        return torch.where(u[place] < probability, value, 0.0)

    device = draws.device
    identity = torch.eye(3, device=device)
    luma = torch.full((3, 3), 1.0 / 3.0, device=device)  # projects on the grey axis
    contrast = torch.exp2(if_chosen(2, _normal(u[3]) * CONTRAST_STD))[:, None, None]
    linear = contrast * identity
    offset = contrast[:, :, 0] * if_chosen(0, _normal(u[1]) * BRIGHTNESS_STD)[:, None].expand(-1, 3)
    maps = [identity - 2.0 * luma * if_chosen(4, (u[5] * 2.0).floor())[:, None, None]]
    if images.shape[1] > 1:
        maps.append(_hue(math.pi * if_chosen(6, 2.0 * u[7] - 1.0)))
        factor = torch.exp2(if_chosen(8, _normal(u[9]) * SATURATION_STD))[:, None, None]
        maps.append(luma + (identity - luma) * factor)
    for each in maps:
        linear, offset = _product(each, linear), _apply(each, offset)
    if images.shape[1] == 1:
        factors, summands = linear.sum(dim=2).mean(dim=1), offset.mean(dim=1)
        return images * factors[:, None, None, None] + summands[:, None, None, None]
    mixed = linear @ images.flatten(2) + offset[:, :, None]
    return mixed.view_as(images)


class _Sampled(torch.autograd.Function):
    """Bilinear sampling, linear in the images: its gradient by them is one of a fixed grid."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Spread.apply(gradient, grid, ctx.shape), None  # type: ignore[no-untyped-call]


class _Spread(torch.autograd.Function):
    """The adjoint of `_Sampled`: PyTorch knows no derivative of it."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        nothing = torch.zeros((), dtype=gradient.dtype, device=gradient.device).expand(shape)
        found: Tensor = torch.ops.aten.grid_sampler_2d_backward(gradient, nothing, grid, 0, 0, False, [True, False])[0]
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sampled.apply(gradient, grid), None, None  # type: ignore[no-untyped-call]


def sampled(images: Tensor, grid: Tensor) -> Tensor:
    """As `F.grid_sample`, bilinear with zeros beyond, but differentiable as often as is wanted, by the images alone.

    Reference: `grid_sample_gradfix` of the code of Karras et al. 2020, for the idea.
    """
    found: Tensor = _Sampled.apply(images, grid)  # type: ignore[no-untyped-call]
    return found


def _twice(images: Tensor) -> tuple[int, int]:
    return 2 * images.shape[2], 2 * images.shape[3]


def _there(name: str, like: Tensor) -> Tensor:
    """A constant of this module where a tensor is; it comes there once, for a recorded step may copy none from here."""
    constant, device = _CONSTANTS[name], like.device
    if device == constant.device:
        return constant
    if torch.compiler.is_compiling():
        return _made_there(name, device)
    if (name, device) not in _THERE:
        _THERE[name, device] = constant.to(device, non_blocking=True)
    return _THERE[name, device]


def _made_there(name: str, device: torch.device) -> Tensor:
    """The same of single numbers, which a compiler turns into none."""
    numbers = [torch.full((), number, device=device) for number in _NUMBERS[name]]
    return torch.stack(numbers).view(_CONSTANTS[name].shape)


def _doubled(images: Tensor) -> Tensor:
    """Double the resolution of images [M, 1, H, W]."""
    taps, crop = 2.0 * _there("taps", images), len(WAVELET) // 2 - 1
    images = F.conv_transpose2d(images, taps[None, None, None], stride=(1, 2), padding=(0, crop))
    return F.conv_transpose2d(images, taps[None, None, :, None], stride=(2, 1), padding=(crop, 0))


def _halved(images: Tensor) -> Tensor:
    """Halve that of images [M, 1, S, S], and cut their margin off."""
    taps, images = _there("taps", images), images[:, :, 1:-1, 1:-1]
    images = F.conv2d(images, taps[None, None, None], stride=(1, 2))
    return F.conv2d(images, taps[None, None, :, None], stride=(2, 1))


def _grid(theta: Tensor, side: int) -> Tensor:
    """Places [N, side, side, 2] that maps [N, 2, 3] take pixels to, as `F.affine_grid` between pixels' centres.

    Neither this nor `_product` or `_apply` asks for a product of matrices: one in TF32 would be off by a fifth of a
    pixel.
    """
    at = (2.0 * torch.arange(side, device=theta.device) + 1.0) / side - 1.0
    a, b, c = (each[:, None, None] for each in theta.unbind(2))
    return at[None, None, :, None] * a + at[None, :, None, None] * b + c


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Products [N, D, D] of matrices."""
    return (a[:, :, :, None] * b[:, None]).sum(dim=2)


def _apply(linear: Tensor, vectors: Tensor) -> Tensor:
    """Products [N, D] of matrices and vectors."""
    return (linear * vectors[:, None]).sum(dim=2)


def _rotation(angles: Tensor) -> Tensor:
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)


def _hue(angles: Tensor) -> Tensor:
    """Rotations [N, 3, 3] around the grey axis, by Rodrigues' formula."""
    luma, identity = torch.full((3, 3), 1.0 / 3.0, device=angles.device), torch.eye(3, device=angles.device)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    return cos * identity + sin * _there("across", angles) + (1.0 - cos) * luma


def _normal(uniform: Tensor) -> Tensor:
    """Standard normal numbers of uniform ones, multiples of 2^-24 from 0 on."""
    return math.sqrt(2.0) * torch.erfinv(2.0 * uniform + (2.0**-24 - 1.0))
