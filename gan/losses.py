"""Adversarial losses: logits in, one loss per image out; the caller sums and divides by the global batch."""

from torch import Tensor
from torch.nn import functional as F


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Relativistic pairing loss of the discriminator: a real image should score above its paired fake.

    Args:
        real_logits: [N] float32.
        fake_logits: [N] float32, paired with the reals (same class).

    Returns:
        [N] float32, softplus(-(D(real) - D(fake))).

    Reference: Jolicoeur-Martineau, "The relativistic discriminator", ICLR 2019; Huang et al., NeurIPS 2024,
    equation (2) with f(t) = -log(1 + exp(-t)).
    """
    return F.softplus(fake_logits - real_logits)


def generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Relativistic pairing loss of the generator: a fake image should score above its paired real.

    Args:
        real_logits: [N] float32.
        fake_logits: [N] float32.

    Returns:
        [N] float32, softplus(-(D(fake) - D(real))).

    Reference: as `discriminator_loss`, with the signs exchanged.
    """
    return F.softplus(real_logits - fake_logits)
