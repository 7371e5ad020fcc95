"""One training step: the discriminator's phase, the generator's phase, the moving average."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan.configuration.schedules import StepSettings
from gan.errors import NonFiniteLossError
from gan.keyed_random import Purpose, normal
from gan.networks.grouped_conv import grouped_conv2d
from gan.networks.interface import Discriminator, Generator
from gan.objective.gradients import ImagePairs, Objective, PenaltyWeights, Terms
from gan.training.all_reduce import GradientSums
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
) -> bool:
    """Take the step, by gradients that are summed over all workers.

    Returns:
        False, with nothing changed, if any gradient is not finite. Every rank has the same sum and so decides alike.
    """
    # the largest entry of each is finite exactly if all are
    if not torch.isfinite(torch.stack(torch._foreach_norm(gradients, float("inf")))).all():
        return False
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        # a fused optimizer walks through memory, and second derivatives come in another order than the weights lie in
        alike = gradient.stride() == parameter.stride()
        parameter.grad = gradient if alike else torch.empty_like(parameter).copy_(gradient)
    for group in optimizer.param_groups:
        group["lr"], group["betas"] = settings.lr, (group["betas"][0], settings.beta2)
    optimizer.step()
    network.zero_grad(set_to_none=True)
    return True


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
        self.sums = {"G": GradientSums(nets.G, context), "D": GradientSums(nets.D, context)}
        self._generate: Callable[[Tensor, Tensor], Tensor] = nets.G
        self._discriminator_gradients = objective.discriminator_gradients
        self._image_gradients = objective.image_gradients
        if compiled:
            # the gradients of gradients are taken within the region that is compiled
            torch._dynamo.config.trace_autograd_ops = True
            # what it traces of an autograd.Function it does not differentiate twice, in silence
            torch.compiler.allow_in_graph(grouped_conv2d)  # type: ignore[no-untyped-call]
            self._generate = torch.compile(nets.G)
            self._discriminator_gradients = torch.compile(objective.discriminator_gradients)
            self._image_gradients = torch.compile(objective.image_gradients)

    def __call__(self, batch: Batch, settings: StepSettings, cur_nimg: int) -> Terms:
        """Train D, then G, then move G_ema.

        G does not change while D is trained, so one pass of G serves both phases. A slice in pieces has one for each
        phase instead: the graphs of all pieces would have to wait for the second.

        Returns:
            This worker's sums over its slice: D_loss, G_loss, real_logits, fake_logits, D_sign, and penalties.

        Raises:
            NonFiniteLossError: a gradient is not finite on some worker; the network that it belongs to takes no step.
        """
        nets, pieces = self.nets, pieces_of(batch, settings.accumulate)
        whole, weights = len(pieces) == 1, _weights(settings, batch.seeds.device)
        found: Found = [], {}
        for piece in pieces:
            fake_images, pairs = self._pairs(piece, settings, graph=whole and settings.generator_too)
            with self._summing("D", settings, whole=whole):
                found = _sum(found, self._discriminator_gradients(nets.D, pairs, settings.batch_size, weights))
        gradients, terms = found
        self._take("D", gradients, settings, terms, cur_nimg)
        if settings.generator_too:
            found = [], {}
            for piece in pieces:
                if not whole:
                    fake_images, pairs = self._pairs(piece, settings, graph=True)
                with self._summing("G", settings, whole=whole):
                    found = _sum(found, self._generator_gradients(fake_images, pairs, settings.batch_size))
            gradients, losses = found
            terms |= losses
            self._take("G", gradients, settings, terms, cur_nimg)
            update_ema(nets.G_ema, nets.G, settings.ema_decay)
        return terms

    def _pairs(self, batch: Batch, settings: StepSettings, *, graph: bool) -> tuple[Tensor, ImagePairs]:
        """Generate an image for each real one; returns these, with a graph or without, and what D is shown."""
        z = normal(batch.seeds, Purpose.LATENT, self.nets.G.latent_dim)
        with torch.set_grad_enabled(graph), self.objective.precision(z.device):
            fake_images = self.objective.full(self._generate(z, batch.labels))
        probability = torch.tensor(settings.augment_probability, device=z.device)
        return fake_images, ImagePairs(batch.real_images, fake_images.detach(), batch.labels, batch.seeds, probability)

    def _generator_gradients(self, fake_images: Tensor, pairs: ImagePairs, batch_size: int) -> Found:
        by_images, losses = self._image_gradients(self.nets.D, pairs, batch_size)
        parameters = list(self.nets.G.parameters())
        found = torch.autograd.grad(fake_images, parameters, by_images, allow_unused=True, materialize_grads=True)
        return list(found), losses

    def _summing(self, name: str, settings: StepSettings, *, whole: bool) -> AbstractContextManager[None]:
        """Let gradients set off to other workers while they are computed, where they come one by one and only once."""
        if self.compiled or not whole:
            return nullcontext()
        return self.sums[name].early(bf16=settings.reduce_precision == "bf16")

    def _take(self, name: str, gradients: list[Tensor], settings: StepSettings, terms: Terms, cur_nimg: int) -> None:
        network: nn.Module = getattr(self.nets, name)
        optimizer: torch.optim.Optimizer = getattr(self.nets, f"{name}_optimizer")
        self.sums[name].finish(gradients, bf16=settings.reduce_precision == "bf16")
        if apply_gradients(network, gradients, optimizer, settings):
            return
        bad = [term for term, value in terms.items() if not torch.isfinite(value)]
        # Every rank stops here; one whose own terms are sound must not be blamed.
        where = f"{', '.join(bad)} on rank {self.context.rank}" if bad else f"the gradient of {name}"
        raise NonFiniteLossError(
            f"{where} became NaN or infinite at image {cur_nimg} and the step was not taken: "
            "lower optimizer.lr or raise loss.r1_gamma, then train again"
        )


def pieces_of(batch: Batch, count: int) -> list[Batch]:
    """Cut a slice into so many pieces, as even as can be; into fewer where it has fewer images."""
    count = min(count, max(len(batch.labels), 1))
    if count == 1:
        return [batch]
    columns = [column.tensor_split(count) for column in vars(batch).values()]
    return [Batch(*parts) for parts in zip(*columns, strict=True)]


def _sum(one: Found, other: Found) -> Found:
    """Add gradients and terms, to none at first."""
    if not one[0]:
        return other
    # not in place: autograd may give two parameters one and the same tensor
    gradients = list(torch._foreach_add(one[0], other[0]))
    return gradients, {name: value + other[1][name] for name, value in one[1].items()}


def _weights(settings: StepSettings, device: torch.device) -> PenaltyWeights | None:
    """The penalties' weights as tensors: a compiled step would be compiled anew for every other number."""
    if not settings.penalised:
        return None
    values = (settings.r1_gamma, settings.r2_gamma, settings.gradient_penalty)
    return PenaltyWeights(*(torch.tensor(value * settings.penalty_scale, device=device) for value in values))
