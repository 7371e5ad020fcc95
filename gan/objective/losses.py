"""Adversarial losses: logits in, a loss for each out; the caller sums over images and divides by the global batch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gan.configuration.vocabulary import LossKind


@dataclass(frozen=True)
class Loss:
    """A game between two networks, by their losses on paired logits.

    Attributes:
        discriminator: maps real and fake logits, each [N] or [N, K] float32 and of the same classes in order, to D's
            losses of that shape.
        generator: maps the same to G's losses.
        paired: whether G's loss depends on the real logits.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    paired: bool = False


def per_image(values: Tensor) -> Tensor:
    """Return one value for each image, [N]: the mean where K parts of a discriminator judge it, [N, K]."""
    return values if values.dim() == 1 else values.mean(1)


def _relativistic_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return F.softplus(fake_logits - real_logits)


def _relativistic_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return F.softplus(real_logits - fake_logits)


def _logistic_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return F.softplus(-real_logits) + F.softplus(fake_logits)


def _nonsaturating_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return F.softplus(-fake_logits)


def _minimax_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return -F.softplus(fake_logits)


def _hinge_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return torch.relu(1.0 - real_logits) + torch.relu(1.0 + fake_logits)


def _wasserstein_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return fake_logits - real_logits


def _minus_fake(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return -fake_logits


LOSSES: dict[LossKind, Loss] = {
    "relativistic": Loss(_relativistic_discriminator, _relativistic_generator, paired=True),
    "nonsaturating": Loss(_logistic_discriminator, _nonsaturating_generator),
    "minimax": Loss(_logistic_discriminator, _minimax_generator),
    "hinge": Loss(_hinge_discriminator, _minus_fake),
    "wasserstein": Loss(_wasserstein_discriminator, _minus_fake),
}
"""The losses by name, with D = D(real), D' = D(fake), s = softplus.

| kind | D minimises | G minimises | reference |
|---|---|---|---|
| relativistic | s(D' - D) | s(D - D') | Jolicoeur-Martineau, ICLR 2019; Huang et al., NeurIPS 2024, equation (2) |
| nonsaturating | s(-D) + s(D') | s(-D') | Goodfellow et al., NIPS 2014, section 3 |
| minimax | s(-D) + s(D') | -s(D') | Goodfellow et al., NIPS 2014, equation (1) |
| hinge | relu(1 - D) + relu(1 + D') | -D' | Lim and Ye, "Geometric GAN", 2017; Miyato et al., ICLR 2018 |
| wasserstein | D' - D | -D' | Arjovsky, Chintala, Bottou, ICML 2017, equation (2) |
"""
