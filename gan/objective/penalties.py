"""Gradient penalties on the discriminator's input."""

from contextlib import nullcontext

import torch
from torch import Tensor

from gan.networks.grouped_conv import without_weight_gradients


def squared_gradient_norms(logits: Tensor, images: Tensor) -> Tensor:
    """Squared norm of each logit's gradient by its own image: R1 on real images, R2 on generated ones.

    One backward pass over real and generated images together serves both; that is exact as long as no layer mixes the
    images of a batch.

    Args:
        logits: [N] float32, computed from `images`.
        images: [N, ...] float32 with `requires_grad`.

    Returns:
        [N] float32, differentiable.

    Reference: Mescheder, Geiger, Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018,
    equations (9) and (10).
    """
    # a compiler drops what is not used by itself
    with nullcontext() if torch.compiler.is_compiling() else without_weight_gradients():
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def interpolate(real_images: Tensor, fake_images: Tensor, shares: Tensor) -> Tensor:
    """Return points on the lines between pairs of images: `shares` [N, 1] in [0, 1] is the way from real to fake."""
    weights = shares.view(-1, *[1] * (real_images.dim() - 1)).to(real_images.dtype)
    return torch.lerp(real_images, fake_images, weights)


def distances_from_unit_slope(logits: Tensor, images: Tensor) -> Tensor:
    """Squared distance from 1 of each logit's gradient norm: the gradient penalty, on `interpolate`d images.

    Args:
        logits: [N] float32, computed from `images`.
        images: [N, ...] float32 with `requires_grad`.

    Returns:
        [N] float32, differentiable.

    Reference: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved Training of Wasserstein GANs", NIPS 2017,
    equation (3).
    """
    # the root has no slope at 0, and a discriminator that is flat at an image is no error
    return ((squared_gradient_norms(logits, images) + 1e-12).sqrt() - 1.0).square()
