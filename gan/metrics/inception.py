"""The InceptionV3 of 2015-12-05 that FID is defined with, as a plain module with its BatchNorm folded away."""

import io
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from gan.metrics.weights import read_verified

NETWORK = "inception-v3-2015-12-05"
INPUT_SIZE = 299
TAPS = {64: "pool0", 192: "pool1", 768: "mixed_7", 2048: "mixed_10"}

STEM = ("conv", "conv_1", "conv_2")
"""Layers that always compute in float32, a tenth of the work.

Where an image is flat, rounding errs everywhere in the same direction and does not average out; generated images are
less flat than real ones, and so their KID grew by a fifth.
"""
_BATCHNORM_EPS = 1e-3


class Conv(nn.Conv2d):
    """Convolution whose bias stands for the folded BatchNorm.

    With `fused`, on a CPU with oneDNN, weights are packed once and what follows is fused into the convolution: 8 %
    faster.
    """

    activation = "none"
    fused = False
    packed: Tensor
    packed_for: tuple[int, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, out, H', W']."""
        if not self.fused:
            y = super().forward(x)
            return y.relu_() if self.activation == "relu" else y
        place = (self.padding, self.stride, self.dilation, self.groups)
        # oneDNN wants another layout for another shape or number of threads, and repacks a packed one very slowly
        wanted = (*x.shape, torch.get_num_threads())
        if wanted != self.packed_for:
            self.packed = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *place, list(x.shape))
            self.packed_for = wanted
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.packed, self.bias, *place, self.activation, [], ""
        )
        return fused


class ConvReLU(Conv):
    """Convolution, then ReLU: never negative."""

    activation = "relu"


class Branches(nn.ModuleDict):
    """Its members side by side on one input, joined along the channels in the order of their names here."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, sum of the branches' channels, H', W']."""
        return torch.cat([branch(x) for branch in self.values()], dim=1)


class BranchesE(nn.Module):
    """The widest block: two towers that each split into a 1x3 and a 3x1 convolution."""

    def __init__(self, channels: int, pool: nn.Module) -> None:
        super().__init__()
        self.conv = ConvReLU(channels, 320, 1)
        self.tower_conv = ConvReLU(channels, 384, 1)
        self.tower_mixed_conv = ConvReLU(384, 384, (1, 3), padding=(0, 1))
        self.tower_mixed_conv_1 = ConvReLU(384, 384, (3, 1), padding=(1, 0))
        self.tower_1_conv = ConvReLU(channels, 448, 1)
        self.tower_1_conv_1 = ConvReLU(448, 384, 3, padding=1)
        self.tower_1_mixed_conv = ConvReLU(384, 384, (1, 3), padding=(0, 1))
        self.tower_1_mixed_conv_1 = ConvReLU(384, 384, (3, 1), padding=(1, 0))
        self.tower_2_pool = pool
        self.tower_2_conv = ConvReLU(channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, channels, 8, 8] to [N, 2048, 8, 8]."""
        a = self.tower_conv(x)
        b = self.tower_1_conv_1(self.tower_1_conv(x))
        parts = [self.conv(x), self.tower_mixed_conv(a), self.tower_mixed_conv_1(a)]
        parts += [self.tower_1_mixed_conv(b), self.tower_1_mixed_conv_1(b), self.tower_2_conv(self.tower_2_pool(x))]
        return torch.cat(parts, dim=1)


class Inception2015(nn.Module):
    """InceptionV3 with the names of the published file: `layers.mixed_4.tower_1.conv_2.weight` and so on.

    Reference: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2016; FID's network is its
    TensorFlow export of 2015-12-05, which differs from torchvision's in weights and in the pools noted below.
    """

    dtype = torch.float32

    def __init__(self) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv"] = ConvReLU(3, 32, 3, stride=2)
        layers["conv_1"] = ConvReLU(32, 32, 3)
        layers["conv_2"] = ConvReLU(32, 64, 3, padding=1)
        layers["pool0"] = nn.MaxPool2d(3, 2)
        layers["conv_3"] = ConvReLU(64, 80, 1)
        layers["conv_4"] = ConvReLU(80, 192, 3)
        layers["pool1"] = nn.MaxPool2d(3, 2)
        layers["mixed"] = _block_a(192, 32)
        layers["mixed_1"] = _block_a(256, 64)
        layers["mixed_2"] = _block_a(288, 64)
        layers["mixed_3"] = _block_b(288)
        for name, width in (("mixed_4", 128), ("mixed_5", 160), ("mixed_6", 160), ("mixed_7", 192)):
            layers[name] = _block_c(768, width)
        layers["mixed_8"] = _block_d(768)
        layers["mixed_9"] = BranchesE(1280, _average_pool())
        # the 2015 export takes the maximum here and the average in every other block
        layers["mixed_10"] = BranchesE(2048, nn.MaxPool2d(3, 1, padding=1))
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor, taps: Sequence[int] = (2048,)) -> Tensor:
        """Return spatially averaged features, and compute no layer behind the last one asked for.

        Args:
            x: [N, 3, 299, 299] float32, pixels as (value - 128) / 128 for values in [0, 255].
            taps: widths out of 64, 192, 768, 2048, ascending.

        Returns:
            [N, sum(taps)] float32, the taps' features in the order asked for.
        """
        wanted = {TAPS[tap] for tap in taps}
        found: list[Tensor] = []
        for name, layer in self.layers.named_children():
            x = layer(x)
            if name == STEM[-1]:
                x = x.to(self.dtype)
            if name in wanted:
                # averaged in float32: a bf16 mean would throw away bits that the sum still has
                found.append(x.float().mean(dim=(2, 3)))
                if len(found) == len(wanted):
                    break
        return torch.cat(found, dim=1)


def load_inception(path: Path, *, device: str | torch.device = "cpu", dtype: torch.dtype) -> Inception2015:
    """Build the network in channels_last with the published weights; the file's hash is checked before it is loaded.

    Args:
        path: the published TorchScript file, see `find_inception_weights`.
        device: where the network computes.
        dtype: of weights and activations behind the stem: torch.float32, or torch.bfloat16.

    Raises:
        WeightsError: the file is missing or has another sha256 than the published one.
    """
    content = read_verified(path)
    with warnings.catch_warnings():
        # torch offers no other reader for the format that the weights are published in
        warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated", category=DeprecationWarning)
        published = torch.jit.load(io.BytesIO(content), map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    with torch.device("meta"):
        network = Inception2015()
    network.load_state_dict(_fold_batchnorm(published), assign=True)
    network.requires_grad_(False).eval().to(device=device)
    network.dtype = dtype
    for name, module in network.layers.named_modules():
        if isinstance(module, Conv) and name not in STEM:
            module.to(dtype=dtype)
    if torch.device(device).type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        for module in network.modules():
            if isinstance(module, Conv):
                module.fused = True
    return network


def _fold_batchnorm(published: dict[str, Tensor]) -> dict[str, Tensor]:
    folded: dict[str, Tensor] = {}
    for key in published:
        name, _, leaf = key.removeprefix("net.").rpartition(".")
        if leaf == "weight":
            beta, mean, var = (published[f"net.{name}.{part}"].double() for part in ("beta", "mean", "var"))
            scale = (var + _BATCHNORM_EPS).rsqrt()
            weight = (published[key].double() * scale[:, None, None, None]).float()
            folded[f"{name}.weight"] = weight.contiguous(memory_format=torch.channels_last)
            folded[f"{name}.bias"] = (beta - mean * scale).float()
    return folded


def _average_pool() -> nn.Module:
    # as TensorFlow pads: zeros at the border do not count in the average
    return nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)


def _tower(*convs: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict((f"conv_{i}" if i else "conv", conv) for i, conv in enumerate(convs)))


def _pooled(channels: int, width: int) -> nn.Sequential:
    # published as pool, convolution, ReLU; an average commutes with a 1x1 convolution, whose output is narrower
    conv = Conv(channels, width, 1)
    return nn.Sequential(OrderedDict(conv=conv, pool=_average_pool(), relu=nn.ReLU(inplace=True)))


def _across(channels: int, width: int) -> ConvReLU:
    return ConvReLU(channels, width, (1, 7), padding=(0, 3))


def _down(channels: int, width: int) -> ConvReLU:
    return ConvReLU(channels, width, (7, 1), padding=(3, 0))


def _block_a(channels: int, pool_width: int) -> Branches:
    tower = _tower(ConvReLU(channels, 48, 1), ConvReLU(48, 64, 5, padding=2))
    tower_1 = _tower(ConvReLU(channels, 64, 1), ConvReLU(64, 96, 3, padding=1), ConvReLU(96, 96, 3, padding=1))
    tower_2 = _pooled(channels, pool_width)
    return Branches({"conv": ConvReLU(channels, 64, 1), "tower": tower, "tower_1": tower_1, "tower_2": tower_2})


def _block_b(channels: int) -> Branches:
    tower = _tower(ConvReLU(channels, 64, 1), ConvReLU(64, 96, 3, padding=1), ConvReLU(96, 96, 3, stride=2))
    return Branches({"conv": ConvReLU(channels, 384, 3, stride=2), "tower": tower, "pool": nn.MaxPool2d(3, 2)})


def _block_c(channels: int, width: int) -> Branches:
    tower = _tower(ConvReLU(channels, width, 1), _across(width, width), _down(width, 192))
    tower_1 = _tower(
        ConvReLU(channels, width, 1),
        _down(width, width),
        _across(width, width),
        _down(width, width),
        _across(width, 192),
    )
    tower_2 = _pooled(channels, 192)
    return Branches({"conv": ConvReLU(channels, 192, 1), "tower": tower, "tower_1": tower_1, "tower_2": tower_2})


def _block_d(channels: int) -> Branches:
    tower = _tower(ConvReLU(channels, 192, 1), ConvReLU(192, 320, 3, stride=2))
    tower_1 = _tower(ConvReLU(channels, 192, 1), _across(192, 192), _down(192, 192), ConvReLU(192, 192, 3, stride=2))
    return Branches({"tower": tower, "tower_1": tower_1, "pool": nn.MaxPool2d(3, 2)})
