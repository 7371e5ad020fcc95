"""Standing statistics: what batch normalisation measures with the averaged weights, not with those of the last step."""

import torch
from torch import Tensor, nn

from gan.generation.sampling import resolve_labels
from gan.keyed_random import Purpose, integers, normal
from gan.networks.interface import Generator

FIRST_SEED = -(2**40)
"""Far from those of trainings, evaluations and releases, and of what watches a training."""


@torch.no_grad()
def measure_statistics(G_ema: Generator, labels: Tensor, images: int, batch_size: int) -> None:
    """Replace the means and variances of every batch normalisation by those over generated images.

    G_ema has those of G otherwise, whose weights are others. Each batch weighs alike. The images have seeds of
    their own and the classes of training images chosen at random, as in training; so every worker measures the same.

    Args:
        G_ema: in evaluation mode, changed in place; one without batch normalisation is left alone.
        labels: [N] int64, the classes of the training images, on G_ema's device; -1 where there are none.
        images: to measure on, rounded up to whole batches; with 0 nothing is done.
        batch_size: images in each batch, those of a training step.

    Reference: Brock, Donahue, Simonyan, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", ICLR
    2019, appendix B, «standing statistics».
    """
    layers = [module for module in G_ema.modules() if isinstance(module, nn.BatchNorm2d)]
    if not (images and layers):
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
    G_ema.train()
    for start in range(0, images, batch_size):
        seeds = FIRST_SEED + torch.arange(start, start + batch_size, device=labels.device)
        wanted = labels[integers(seeds, Purpose.LABEL, len(labels))]
        G_ema(normal(seeds, Purpose.LATENT, G_ema.latent_dim), resolve_labels(seeds, wanted, G_ema.num_classes))
    G_ema.eval()
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
