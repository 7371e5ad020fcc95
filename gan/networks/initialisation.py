"""How weights begin."""

import math
from typing import TypeVar

from torch import nn

LEAKY_SLOPE = 0.2
LEAKY_GAIN = math.sqrt(2.0 / (1.0 + LEAKY_SLOPE**2))
"""He initialisation's gain for a leaky ReLU of slope 0.2."""

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def he_normal(layer: Layer, gain: float = 1.0) -> Layer:
    """Draw weights of standard deviation gain / sqrt(fan_in), zeros where the gain is 0; a bias begins at zero.

    Reference: He et al., "Delving Deep into Rectifiers", ICCV 2015, equation (10).
    """
    if gain:
        nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    else:
        nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def small_normal(module: nn.Module) -> None:
    """Initialise a module as DCGAN does: weights N(0, 0.02), those of batch normalisation N(1, 0.02), biases 0.

    Reference: Radford, Metz, Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
    Adversarial Networks", ICLR 2016, section 4.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, mean=1.0, std=0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
