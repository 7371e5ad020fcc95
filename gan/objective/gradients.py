"""What the two networks minimise, as gradients: the part of a training step that can be compiled.

Both functions are pure: they read weights and return gradients, and nothing of theirs survives the call.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gan.configuration.vocabulary import Operation, PenaltyInput
from gan.keyed_random import Purpose, uniform
from gan.networks.interface import Discriminator, trained
from gan.objective.augment import augment
from gan.objective.losses import Loss, per_image
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
        seeds: [n] int64, key of what is drawn for a real image, such as dropout.
        fake_seeds: [n] int64, the same for a fake one.
        augmentation: [n, 2, numbers] float32, draws for the augmentation of the real and of the fake image.
        augment_probability: float32 scalar.
    """

    real_images: Tensor
    fake_images: Tensor
    labels: Tensor
    seeds: Tensor
    fake_seeds: Tensor
    augmentation: Tensor
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


class _Shown(NamedTuple):
    """Images that D scores in one pass.

    Attributes:
        seen: [N, C, H, W] float32, augmented.
        labels: [N] int64.
        seeds: [N] int64.
        inputs: [N, C, H, W] float32, by which a penalty takes the gradient; requires it where there is one.
    """

    seen: Tensor
    labels: Tensor
    seeds: Tensor
    inputs: Tensor | None = None


@dataclass(frozen=True)
class Objective:
    """The game that a run plays.

    Attributes:
        loss: of both networks.
        operations: augmentation.
        r1: whether there is a penalty on real images.
        r2: whether there is one on fake images; one of the two alone costs half of both.
        between: whether there is one between real and fake images, WGAN-GP's.
        penalty_input: by what R1 and R2 take the gradient: the `images`, through the augmentation, or what is seen.
        colour_share: of the probability of augmentation, for ADA's colours.
        bf16: whether networks run in bfloat16; weights, losses and penalties stay float32.
    """

    loss: Loss
    operations: Sequence[Operation] = ()
    r1: bool = True
    r2: bool = True
    between: bool = False
    penalty_input: PenaltyInput = "augmented"
    colour_share: float = 1.0
    bf16: bool = False

    def precision(self, device: torch.device) -> AbstractContextManager[object]:
        """Run networks in the precision that was chosen."""
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def full(self, made: Tensor) -> Tensor:
        """Return what a network made in the precision of its weights, which losses and penalties have."""
        return made.float() if self.bf16 else made

    def discriminator_gradients(
        self, D: Discriminator, pairs: ImagePairs, batch_size: int, weights: PenaltyWeights | None
    ) -> tuple[list[Tensor], Terms]:
        """Return the gradients of D's parameters over this worker's slice, and the terms.

        Args:
            D: the discriminator.
            pairs: what it is shown.
            batch_size: images in the global batch, by which sums are divided.
            weights: of the penalties; None leaves them out.

        Returns:
            A gradient for each parameter that is trained; and D_loss, real_logits, fake_logits, D_sign, with those of
            the penalties r1, r2 and gradient_penalty that the game has.

        Reference: Huang et al., NeurIPS 2024, equations (2) and (3): L_D + gamma / 2 (R1 + R2).
        """
        count = len(pairs.labels)
        shown = self._shown(pairs, weights is not None, apart=D.mixes_images)
        scored = [self._logits(D, each.seen, each.labels, each.seeds) for each in shown]
        logits = torch.cat(scored)
        real_logits, fake_logits = logits[:count], logits[count:]
        loss = per_image(self.loss.discriminator(real_logits, fake_logits)).sum()
        sign = (real_logits - fake_logits if self.loss.paired else real_logits).sign()
        terms = {
            "D_loss": loss,
            "real_logits": per_image(real_logits).sum(),
            "fake_logits": per_image(fake_logits).sum(),
            "D_sign": per_image(sign).sum(),
        }
        if weights is not None:
            penalties = self._penalties(D, pairs, shown, scored)
            terms |= penalties
            factors = {"r1": 0.5 * weights.r1, "r2": 0.5 * weights.r2, "gradient_penalty": weights.between}
            loss = loss + sum(factors[name] * penalty for name, penalty in penalties.items())
        gradients = torch.autograd.grad(loss / batch_size, trained(D), allow_unused=True, materialize_grads=True)
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
        fake_images = pairs.fake_images.detach().requires_grad_(True)
        draws_of_real, draws_of_fake = pairs.augmentation.unbind(1)
        fake = self._augmented(fake_images, draws_of_fake, pairs.augment_probability)
        fake_logits = self._logits(D, fake, pairs.labels, pairs.fake_seeds)
        real_logits = fake_logits
        if self.loss.paired:
            with torch.no_grad():
                real = self._augmented(pairs.real_images, draws_of_real, pairs.augment_probability)
                real_logits = self._logits(D, real, pairs.labels, pairs.seeds)
        loss = per_image(self.loss.generator(real_logits, fake_logits)).sum()
        (gradient,) = torch.autograd.grad(loss / batch_size, fake_images)
        return gradient, {"G_loss": loss.detach()}

    def _shown(self, pairs: ImagePairs, penalised: bool, *, apart: bool) -> list["_Shown"]:
        """What D is to score: real and fake images together; apart where D mixes them, or one kind has a penalty."""
        images = torch.cat([pairs.real_images, pairs.fake_images])
        labels, seeds = pairs.labels.repeat(2), torch.cat([pairs.seeds, pairs.fake_seeds])
        draws = torch.cat(pairs.augmentation.unbind(1))
        sloped = [self.r1, self.r2] if penalised else [False, False]
        pieces = 2 if apart or sloped[0] != sloped[1] else 1
        columns = (column.chunk(pieces) for column in (images, labels, seeds, draws))
        return [
            self._as_seen(_Shown(*part), part_draws, pairs.augment_probability, sloped=of_part)
            for *part, part_draws, of_part in zip(*columns, sloped[:pieces], strict=True)
        ]

    def _as_seen(self, shown: "_Shown", draws: Tensor, probability: Tensor, *, sloped: bool) -> "_Shown":
        """Augment images; where there is a penalty, ready to take its gradient by the images or by what is seen."""
        inputs = shown.seen.detach().requires_grad_(sloped and self.penalty_input == "images")
        seen = self._augmented(inputs, draws, probability)
        if sloped and self.penalty_input == "augmented":
            inputs = seen = seen.detach().requires_grad_(True)
        return shown._replace(seen=seen, inputs=inputs)

    def _augmented(self, images: Tensor, draws: Tensor, probability: Tensor) -> Tensor:
        return augment(images, draws, self.operations, probability, self.colour_share)

    def _penalties(self, D: Discriminator, pairs: ImagePairs, shown: list["_Shown"], scored: list[Tensor]) -> Terms:
        """The penalties of a slice, each a sum."""
        terms, names = {}, [name for name, wanted in (("r1", self.r1), ("r2", self.r2)) if wanted]
        norms = [
            squared_gradient_norms(per_image(logits), each.inputs)
            for each, logits in zip(shown, scored, strict=True)
            if each.inputs is not None and each.inputs.requires_grad
        ]
        if names:
            terms = {name: part.sum() for name, part in zip(names, torch.cat(norms).chunk(len(names)), strict=True)}
        if self.between:
            real, fake = torch.cat([each.seen for each in shown]).detach().chunk(2)
            points = interpolate(real, fake, uniform(pairs.seeds, Purpose.INTERPOLATE, 1)).requires_grad_(True)
            slopes = per_image(self._logits(D, points, pairs.labels, pairs.seeds))
            terms["gradient_penalty"] = distances_from_unit_slope(slopes, points).sum()
        return terms

    def _logits(self, D: Discriminator, images: Tensor, labels: Tensor, seeds: Tensor) -> Tensor:
        """Score images in the chosen precision, [N]."""
        with self.precision(images.device):
            return self.full(D(images, labels, seeds))
