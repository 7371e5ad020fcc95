"""What the two networks minimise, as gradients: the part of a training step that can be compiled.

Both functions are pure: they read weights and return gradients, and nothing of theirs survives the call.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.configuration.vocabulary import Operation
from gan.keyed_random import Purpose, derive, uniform
from gan.networks.interface import Discriminator
from gan.objective.augment import augment
from gan.objective.losses import Loss
from gan.objective.penalties import distances_from_unit_slope, interpolate, squared_gradient_norms

Terms = dict[str, Tensor]
"""Sums over a worker's slice of the batch, each a float32 scalar, by name."""


@dataclass(frozen=True)
class ImagePairs:
    """What a discriminator is shown in one step: n pairs of images.

    Attributes:
        real_images: [n, C, H, W] float32 in [-1, 1].
        fake_images: [n, C, H, W] float32, of the same classes in the same order, without a graph behind them.
        labels: [n] int64, the classes of both.
        seeds: [n] int64, key of augmentation and dropout.
        augment_probability: float32 scalar.
    """

    real_images: Tensor
    fake_images: Tensor
    labels: Tensor
    seeds: Tensor
    augment_probability: Tensor


@dataclass(frozen=True)
class PenaltyWeights:
    """Weights of the penalties in one step, each a float32 scalar.

    Attributes:
        r1: half of it times the squared gradient norm on a real image.
        r2: the same on a fake image.
        between: times the squared distance of the gradient norm from 1, between the two.
    """

    r1: Tensor
    r2: Tensor
    between: Tensor


@dataclass(frozen=True)
class Objective:
    """The game that a run plays.

    Attributes:
        loss: of both networks.
        operations: augmentation.
        zero_centred: whether there are penalties on real and fake images, R1 and R2.
        between: whether there is one between real and fake images, WGAN-GP's.
        bf16: whether networks run in bfloat16; weights, losses and penalties stay float32.
    """

    loss: Loss
    operations: Sequence[Operation] = ()
    zero_centred: bool = True
    between: bool = False
    bf16: bool = False

    @contextmanager
    def precision(self, device: torch.device) -> Iterator[None]:
        """Run networks in the precision that was chosen."""
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.bf16):
            yield

    def full(self, made: Tensor) -> Tensor:
        """Return what a network made in the precision of its weights, which losses and penalties have."""
        return made.float() if self.bf16 else made

    def discriminator_gradients(
        self, D: Discriminator, pairs: ImagePairs, batch_size: int, weights: PenaltyWeights | None
    ) -> tuple[list[Tensor], Terms]:
        """Return the gradients of D's parameters over this worker's slice, and the terms.

        Penalties are on the gradient at D's own input: after augmentation.

        Args:
            D: the discriminator.
            pairs: what it is shown.
            batch_size: images in the global batch, by which sums are divided.
            weights: of the penalties; None leaves them out.

        Returns:
            A gradient for each parameter; and D_loss, real_logits, fake_logits, D_sign, with penalties r1 and r2 or
            gradient_penalty.

        Reference: Huang et al., NeurIPS 2024, equations (2) and (3): L_D + gamma / 2 (R1 + R2).
        """
        count = len(pairs.labels)
        real, fake, seeds = self._augmented(pairs)
        penalised = weights is not None
        images = torch.cat([real, fake]).requires_grad_(penalised and self.zero_centred)
        logits = self._logits(D, images, pairs.labels.repeat(2), seeds, apart=D.mixes_images)
        real_logits, fake_logits = logits[:count], logits[count:]
        loss = self.loss.discriminator(real_logits, fake_logits).sum()
        sign = (real_logits - fake_logits if self.loss.paired else real_logits).sign()
        terms = {
            "D_loss": loss,
            "real_logits": real_logits.sum(),
            "fake_logits": fake_logits.sum(),
            "D_sign": sign.sum(),
        }
        if weights is not None and self.zero_centred:
            norms = squared_gradient_norms(logits, images)
            terms |= {"r1": norms[:count].sum(), "r2": norms[count:].sum()}
            loss = loss + 0.5 * weights.r1 * terms["r1"] + 0.5 * weights.r2 * terms["r2"]
        if weights is not None and self.between:
            shares = uniform(pairs.seeds, Purpose.INTERPOLATE, 1)
            points = interpolate(real, fake, shares).detach().requires_grad_(True)
            slopes = self._logits(D, points, pairs.labels, seeds[:count])
            terms["gradient_penalty"] = distances_from_unit_slope(slopes, points).sum()
            loss = loss + weights.between * terms["gradient_penalty"]
        gradients = torch.autograd.grad(
            loss / batch_size, list(D.parameters()), allow_unused=True, materialize_grads=True
        )
        return list(gradients), {name: value.detach() for name, value in terms.items()}

    def image_gradients(self, D: Discriminator, pairs: ImagePairs, batch_size: int) -> tuple[Tensor, Terms]:
        """Return the gradient of G's loss by the fake images, which is what G learns from, and G_loss.

        Args:
            D: the discriminator, after its step.
            pairs: what it is shown.
            batch_size: images in the global batch, by which sums are divided.

        Returns:
            [n, C, H, W] float32, and the terms.
        """
        count = len(pairs.labels)
        fake_images = pairs.fake_images.detach().requires_grad_(True)
        real, fake, seeds = self._augmented(pairs, fake_images)
        fake_logits = self._logits(D, fake, pairs.labels, seeds[count:])
        real_logits = fake_logits
        if self.loss.paired:
            with torch.no_grad():
                real_logits = self._logits(D, real, pairs.labels, seeds[:count])
        loss = self.loss.generator(real_logits, fake_logits).sum()
        (gradient,) = torch.autograd.grad(loss / batch_size, fake_images)
        return gradient, {"G_loss": loss.detach()}

    def _augmented(self, pairs: ImagePairs, fake_images: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Real and fake images as D sees them, and the seeds [2n] of both."""
        fakes = pairs.fake_images if fake_images is None else fake_images
        fake_seeds = derive(pairs.seeds, Purpose.FAKE_KEY)
        probability = pairs.augment_probability
        return (
            augment(pairs.real_images, pairs.seeds, self.operations, probability),
            augment(fakes, fake_seeds, self.operations, probability),
            torch.cat([pairs.seeds, fake_seeds]),
        )

    def _logits(
        self, D: Discriminator, images: Tensor, labels: Tensor, seeds: Tensor, *, apart: bool = False
    ) -> Tensor:
        """Score images in the chosen precision, [N]; `apart`: the two halves in passes of their own."""
        with self.precision(images.device):
            if apart:
                halves = zip(images.chunk(2), labels.chunk(2), seeds.chunk(2), strict=True)
                return self.full(torch.cat([D(*half) for half in halves]))
            logits: Tensor = D(images, labels, seeds)
            return self.full(logits)
