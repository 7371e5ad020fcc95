"""Augmentation that is as frequent as the discriminator needs: ADA's adaptive probability."""

import torch
from torch import Tensor, nn


class AdaptiveProbability(nn.Module):
    """The probability of augmentation, which follows how sure the discriminator is of real images.

    Where it tells nearly all of them from generated ones it begins to know them by heart, and augmentation becomes more
    frequent; else less. A step moves the probability by its share of `adapt_kimg`; the authors do so at every fourth
    step, by four times as much.

    Args:
        start: probability at first, in [0, 1].
        target: mean sign of D's logits that is aimed at, in [-1, 1]; the authors take 0.6. In a game of pairs the sign
            is that of the real image's logit minus the generated one's.
        adapt_kimg: thousands of images in which the probability goes from 0 to 1 at most.

    Attributes:
        probability: float32 scalar in [0, 1].

    Reference: Karras et al., "Training Generative Adversarial Networks with Limited Data", NeurIPS 2020, section 3 and
    equation (1), r_t.
    """

    probability: Tensor

    def __init__(self, start: float, target: float, adapt_kimg: float) -> None:
        super().__init__()
        self.target = target
        self.adapt_nimg = adapt_kimg * 1000.0
        self.register_buffer("probability", torch.tensor(start, dtype=torch.float32))

    @torch.no_grad()
    def move(self, signs: Tensor, batch_size: int, bad: Tensor) -> None:
        """Move the probability after a step; nothing waits for the device.

        Args:
            signs: float32 scalar, the sum of signs over the global batch.
            batch_size: images in it.
            bad: bool scalar, whether the discriminator took no step: the probability stays, then.
        """
        direction = torch.sign(signs / batch_size - self.target)
        moved = (self.probability + direction * (batch_size / self.adapt_nimg)).clamp(0.0, 1.0)
        self.probability.copy_(torch.where(bad, self.probability, moved))
