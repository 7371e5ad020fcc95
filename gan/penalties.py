"""Gradient penalties on the discriminator's input."""

import torch
from torch import Tensor


def gradient_norms(logits: Tensor, images: Tensor) -> Tensor:
    """Squared norm of each logit's gradient by its own image.

    One backward pass over real and fake images together serves R1 and R2; that is exact as long as no layer mixes
    the images of a batch.

    Args:
        logits: [N] float32, computed from `images`.
        images: [N, C, H, W] float32 with `requires_grad`.

    Returns:
        [N] float32, differentiable.

    Reference: Mescheder, Geiger, Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018,
    equations (9) and (10).
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3))
