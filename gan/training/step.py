"""One training step: the discriminator's phase, the generator's phase, the moving average."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan.configuration.schedules import StepSettings
from gan.networks.grouped_conv import grouped_conv2d
from gan.networks.interface import Discriminator, Generator, trained
from gan.objective.ada import sampled
from gan.objective.gradients import ImagePairs, Objective, PenaltyWeights, Terms
from gan.training.all_reduce import GradientSums
from gan.training.bad_steps import BadSteps
from gan.training.context import TrainContext
from gan.training.ema import update_ema
from gan.training.feed import Batch

Found = tuple[list[Tensor], Terms]
"""A gradient for each parameter, and terms."""


@dataclass
class Networks:
    """What a step changes: G, D, the average of G, and an optimizer for each of the first two."""

    G: Generator
    D: Discriminator
    G_ema: Generator
    G_optimizer: torch.optim.Optimizer
    D_optimizer: torch.optim.Optimizer


def apply_gradients(
    network: nn.Module, gradients: list[Tensor], optimizer: torch.optim.Optimizer, settings: StepSettings
) -> Tensor:
    """Take the step, by gradients that are summed over all workers.

    If any gradient is not finite nothing is changed. Every rank has the same sum and so decides alike.

    Returns:
        bool scalar on the device: whether the step was not taken.
    """
    # the largest entry of each is finite exactly if all are
    bad = ~torch.isfinite(torch.stack(torch._foreach_norm(gradients, float("inf")))).all()
    if seen(bad):
        return bad
    for parameter, gradient in zip(trained(network), gradients, strict=True):
        parameter.grad = _as_the_weight_lies(gradient, parameter)
    for group in optimizer.param_groups:
        group["lr"], group["betas"] = settings.lr, (group["betas"][0], settings.beta2)
    if bad.device.type == "cuda":  # read by a fused Adam, on the device
        optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
    optimizer.step()
    network.zero_grad(set_to_none=True)
    return bad


def seen(bad: Tensor) -> bool:
    """Whether a step is known not to have been taken: on a CPU, for a GPU is not waited for."""
    return bad.device.type == "cpu" and bool(bad)


def _as_the_weight_lies(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return a gradient with its weight's strides.

    A fused optimizer walks through memory, and second derivatives come in another order than the weights lie in. Of
    dimensions with one entry, as those of a 1x1 kernel, the stride says nothing, and nothing is moved.
    """
    strides = zip(gradient.stride(), weight.stride(), weight.shape, strict=True)
    if all(one == other or size == 1 for one, other, size in strides):
        return gradient.as_strided(weight.shape, weight.stride())
    return torch.empty_like(weight).copy_(gradient)


class Step:
    """A training step on one worker.

    Args:
        nets: what it changes.
        objective: what the networks minimise.
        context: this worker's place in the run.
        compiled: whether to compile networks and objective; the first steps then take minutes.
    """

    def __init__(self, nets: Networks, objective: Objective, context: TrainContext, *, compiled: bool = False) -> None:
        self.nets = nets
        self.objective = objective
        self.context = context
        self.compiled = compiled
        self.bad_steps = BadSteps(context.device)
        self.sums = {"G": GradientSums(nets.G, context), "D": GradientSums(nets.D, context)}
        self._generate: Callable[[Tensor, Tensor], Tensor] = nets.G
        self._discriminator_gradients = objective.discriminator_gradients
        self._image_gradients = objective.image_gradients
        if compiled:
            # the gradients of gradients are taken within the region that is compiled
            torch._dynamo.config.trace_autograd_ops = True
            # backward passes are in the precision of what they pass through, as in an eager step
            torch._functorch.config.backward_pass_autocast = "off"  # noqa: S105 - no password
            # what it traces of an autograd.Function it does not differentiate twice, in silence
            for function in (grouped_conv2d, sampled):
                torch.compiler.allow_in_graph(function)  # type: ignore[no-untyped-call]
            self._generate = torch.compile(nets.G)
            self._discriminator_gradients = torch.compile(objective.discriminator_gradients)
            self._image_gradients = torch.compile(objective.image_gradients)

    def __call__(
        self, batch: Batch, settings: StepSettings, cur_nimg: int, generator_batch: Batch | None = None
    ) -> Terms:
        """Train D, then G, then move G_ema; on a GPU without a wait for it.

        G does not change while D is trained, so one pass of G serves both phases. A slice in pieces, or two batches,
        have one for each phase instead: the graphs of all pieces would have to wait for the second.

        Args:
            batch: this worker's slice of the global batch.
            settings: of this step.
            cur_nimg: images seen before it.
            generator_batch: what G learns from, if not from what D is shown.

        Returns:
            This worker's sums over its slice: D_loss, G_loss, real_logits, fake_logits, D_sign, and penalties; 0 where
            one is not finite.

        Raises:
            NonFiniteLossError: too many steps in a row had a gradient that is not finite on some worker; the network
                that it belongs to took none of them.
        """
        numbers = _numbers(settings, batch.real_images.device)
        pieces = pieces_of(batch, settings.accumulate)
        for_G = pieces if generator_batch is None else pieces_of(generator_batch, settings.accumulate)
        shared = len(pieces) == 1 and generator_batch is None
        found: Found = [], {}
        for piece in pieces:
            fake_images, pairs = self._pairs(piece, numbers, graph=shared and settings.generator_too)
            with self._summing("D", settings, whole=len(pieces) == 1):
                found = _sum(
                    found, self._discriminator_gradients(self.nets.D, pairs, settings.batch_size, numbers.penalties)
                )
        gradients, terms = found
        bad = {"D": self._take("D", gradients, settings)}
        if settings.generator_too and not seen(bad["D"]):
            found = [], {}
            for piece in for_G:
                if not shared:
                    fake_images, pairs = self._pairs(piece, numbers, graph=True)
                with self._summing("G", settings, whole=len(for_G) == 1):
                    found = _sum(found, self._generator_gradients(fake_images, pairs, settings.batch_size))
            gradients, losses = found
            terms |= losses
            bad["G"] = self._take("G", gradients, settings)
            if not seen(bad["G"]):
                update_ema(self.nets.G_ema, self.nets.G, settings.ema_decay)
        terms = self.bad_steps.after(bad, terms, cur_nimg)
        if any(seen(each) for each in bad.values()):
            self.bad_steps.check(settings.most_bad_steps, self.context.rank)
        return terms

    def _pairs(self, batch: Batch, numbers: "_Numbers", *, graph: bool) -> tuple[Tensor, ImagePairs]:
        """Generate an image for each real one; returns these, with a graph or without, and what D is shown."""
        draws = batch.draws
        with torch.set_grad_enabled(graph), self.objective.precision(draws.z.device):
            fake_images = self.objective.full(self._generate(draws.z, batch.labels))
        return fake_images, ImagePairs(
            real_images=batch.real_images,
            fake_images=fake_images.detach(),
            labels=batch.labels,
            seeds=draws.seeds,
            fake_seeds=draws.fake_seeds,
            augmentation=draws.augmentation,
            augment_probability=numbers.augment_probability,
        )

    def _generator_gradients(self, fake_images: Tensor, pairs: ImagePairs, batch_size: int) -> Found:
        with frozen(self.nets.D):  # no gradient of its weights is wanted, and a grouped convolution would take them
            by_images, losses = self._image_gradients(self.nets.D, pairs, batch_size)
        parameters = list(self.nets.G.parameters())
        found = torch.autograd.grad(fake_images, parameters, by_images, allow_unused=True, materialize_grads=True)
        return list(found), losses

    def _summing(self, name: str, settings: StepSettings, *, whole: bool) -> AbstractContextManager[None]:
        """Let gradients set off to other workers while they are computed, where they come one by one and only once."""
        if self.compiled or not whole:
            return nullcontext()
        return self.sums[name].early(bf16=settings.reduce_precision == "bf16")

    def _take(self, name: str, gradients: list[Tensor], settings: StepSettings) -> Tensor:
        """Sum the gradients over workers and let a network take its step; returns whether it could not, as a tensor."""
        network: nn.Module = getattr(self.nets, name)
        optimizer: torch.optim.Optimizer = getattr(self.nets, f"{name}_optimizer")
        self.sums[name].finish(gradients, bf16=settings.reduce_precision == "bf16")
        return apply_gradients(network, gradients, optimizer, settings)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Within this block a network's parameters want no gradients."""
    parameters = trained(network)
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def pieces_of(batch: Batch, count: int) -> list[Batch]:
    """Cut a slice into so many pieces, as even as can be; into fewer where it has fewer images."""
    count = min(count, max(len(batch.labels), 1))
    if count == 1:
        return [batch]
    size, longer = divmod(len(batch.labels), count)
    bounds = [size * piece + min(piece, longer) for piece in range(count + 1)]
    return [batch[slice(*ends)] for ends in pairwise(bounds)]


def _sum(one: Found, other: Found) -> Found:
    """Add gradients and terms, to none at first."""
    if not one[0]:
        return other
    # not in place: autograd may give two parameters one and the same tensor
    gradients = list(torch._foreach_add(one[0], other[0]))
    return gradients, {name: value + other[1][name] for name, value in one[1].items()}


class _Numbers(NamedTuple):
    """A step's settings as scalars on the device: a compiled step would be compiled anew for every other number.

    Attributes:
        augment_probability: of each operation.
        penalties: their weights; None in a step without.
    """

    augment_probability: Tensor
    penalties: PenaltyWeights | None


def _numbers(settings: StepSettings, device: torch.device) -> _Numbers:
    """Copy all of them at once, and to a GPU without waiting until it has done what it was given before."""
    gammas = (settings.r1_gamma, settings.r2_gamma, settings.gradient_penalty)
    values = torch.tensor(
        [settings.augment_probability, *(gamma * settings.penalty_scale for gamma in gammas)],
        pin_memory=device.type == "cuda",
    )
    probability, *weights = values.to(device, non_blocking=True).unbind()
    return _Numbers(probability, PenaltyWeights(*weights) if settings.penalised else None)
