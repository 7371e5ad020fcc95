"""One training step: the discriminator's phase, the generator's phase, the moving average."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from gan.configuration.schedules import StepSettings
from gan.networks.interface import Discriminator, Generator, trained
from gan.objective.adaptive import AdaptiveProbability
from gan.objective.gradients import ImagePairs, Objective, PenaltyWeights, Terms
from gan.training.all_reduce import GradientSums
from gan.training.apply_gradients import apply_gradients, seen
from gan.training.bad_steps import BadSteps
from gan.training.compiling import prepare_compiler
from gan.training.context import TrainContext
from gan.training.ema import update_ema
from gan.training.feed import Batch
from gan.training.graphs import CudaRecorder, Graphs, RecordingError
from gan.training.pieces import Found, Made, columns_of, pieces_of, summed, with_columns

T = TypeVar("T")


@dataclass
class Networks:
    """What a step changes: G, D, the average of G, an optimizer for each of the first two, and ADA's probability."""

    G: Generator
    D: Discriminator
    G_ema: Generator
    G_optimizer: torch.optim.Optimizer
    D_optimizer: torch.optim.Optimizer
    augmentation: AdaptiveProbability | None = None


class Step:
    """A training step on one worker.

    Args:
        nets: what it changes.
        objective: what the networks minimise.
        context: this worker's place in the run.
        compiled: whether to compile networks and objective; the first steps then take minutes.
        captured: whether gradients are recorded as CUDA graphs, on a GPU, and replayed.

    Attributes:
        graphs: what is recorded; None where nothing is.
    """

    def __init__(
        self,
        nets: Networks,
        objective: Objective,
        context: TrainContext,
        *,
        compiled: bool = False,
        captured: bool = False,
    ) -> None:
        self.nets = nets
        self.objective = objective
        self.context = context
        self.compiled = compiled
        self.graphs: Graphs | None = Graphs(CudaRecorder(context.device)) if captured else None
        self.bad_steps = BadSteps(context.device)
        self.sums = {"G": GradientSums(nets.G, context), "D": GradientSums(nets.D, context)}
        self._generate: Callable[[Tensor, Tensor], Tensor] = nets.G
        self._discriminator_gradients = objective.discriminator_gradients
        self._image_gradients = objective.image_gradients
        if compiled:
            prepare_compiler()
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
                that it belongs to took none of them, nor did G where that is D.
        """
        numbers = _numbers(settings, batch.real_images.device)
        if self.nets.augmentation is not None:
            numbers = torch.cat([self.nets.augmentation.probability[None], numbers[1:]])
        pieces = pieces_of(batch, settings.accumulate)
        for_G = pieces if generator_batch is None else pieces_of(generator_batch, settings.accumulate)
        shared = len(pieces) == 1 and generator_batch is None
        key = (settings.batch_size, settings.penalised, shared and settings.generator_too)
        made: Made | None = None
        found: Found = [], {}
        for piece in pieces:
            compute_D = partial(self._discriminator_part, settings=settings, graph=key[-1], whole=len(pieces) == 1)
            made, part = self._computed(("D", *key), compute_D, piece, numbers)
            found = summed(found, part, lasting=self.graphs is None or len(pieces) == 1)
        gradients, terms = found
        bad = {"D": self._take("D", gradients, settings)}
        if settings.generator_too and not seen(bad["D"]):
            found = [], {}
            for piece in for_G:
                compute_G = partial(self._generator_part, settings=settings, whole=len(for_G) == 1)
                part = self._computed(("G", *key), compute_G, piece, numbers, made if shared else None)
                found = summed(found, part, lasting=self.graphs is None or len(for_G) == 1)
            gradients, losses = found
            terms = terms | losses
            bad["G"] = self._take("G", gradients, settings, spoilt=bad["D"])
            if not seen(bad["G"]):
                update_ema(self.nets.G_ema, self.nets.G, settings.ema_decay)
        if self.nets.augmentation is not None:
            self.context.all_reduce(signs := terms["D_sign"].clone())
            self.nets.augmentation.move(signs, settings.batch_size, bad["D"])
        terms = self.bad_steps.after(bad, terms, cur_nimg)
        if any(seen(each) for each in bad.values()):
            self.bad_steps.check(settings.most_bad_steps, self.context.rank)
        return terms

    @property
    def settled(self) -> bool:
        """Whether every kind of step that has come is computed as it will be from now on."""
        return self.graphs is None or self.graphs.settled

    def _discriminator_part(
        self, piece: Batch, numbers: Tensor, made: Made | None, *, settings: StepSettings, graph: bool, whole: bool
    ) -> tuple[Made, Found]:
        """Make images for a piece, with a graph or without, and return them with the gradients of D."""
        made = self._made(piece, numbers, graph=graph)
        weights = PenaltyWeights(*numbers[1:].unbind()) if settings.penalised else None
        with self._summing("D", settings, whole=whole):
            return made, self._discriminator_gradients(self.nets.D, made.pairs, settings.batch_size, weights)

    def _generator_part(
        self, piece: Batch, numbers: Tensor, made: Made | None, *, settings: StepSettings, whole: bool
    ) -> Found:
        """Return the gradients of G by images that it has made for a piece, or makes anew."""
        images, pairs = made or self._made(piece, numbers, graph=True)
        with self._summing("G", settings, whole=whole):
            with frozen(self.nets.D):  # no gradient of its weights is wanted, and a grouped convolution would take them
                by_images, losses = self._image_gradients(self.nets.D, pairs, settings.batch_size)
            parameters = trained(self.nets.G)
            found = torch.autograd.grad(images, parameters, by_images, allow_unused=True, materialize_grads=True)
        return list(found), losses

    def _computed(
        self,
        key: tuple[object, ...],
        compute: Callable[[Batch, Tensor, Made | None], T],
        piece: Batch,
        numbers: Tensor,
        made: Made | None = None,
    ) -> T:
        """Compute a part of the step, or replay what was recorded of it.

        Args:
            key: what tells it apart from others, as far as the number of images does not.
            compute: does it.
            piece: of the batch.
            numbers: the step's settings.
            made: images that another part has made for it.
        """
        if self.graphs is None:
            return compute(piece, numbers, made)

        def from_inputs(inputs: Sequence[Tensor]) -> T:
            if made is not None:  # it has no inputs but what lies where that other part was recorded
                return compute(piece, numbers, made)
            *columns, own_numbers = inputs
            return compute(with_columns(piece, columns), own_numbers, None)

        try:
            inputs = [*columns_of(piece), numbers] if made is None else []
            return self.graphs.run((*key, len(piece.labels)), inputs, from_inputs)
        except RecordingError as error:
            self.graphs = None
            self.context.warn(f"the step cannot be recorded as CUDA graphs ({error}): training goes on without them")
            return compute(piece, numbers, None)  # the graph of what was made may have been used up in the attempt

    def _made(self, batch: Batch, numbers: Tensor, *, graph: bool) -> Made:
        """Generate an image for each real one, with a graph or without."""
        draws = batch.draws
        with torch.set_grad_enabled(graph), self.objective.precision(draws.z.device):
            images = self.objective.full(self._generate(draws.z, batch.labels))
        return Made(
            images,
            ImagePairs(
                real_images=batch.real_images,
                fake_images=images.detach(),
                labels=batch.labels,
                seeds=draws.seeds,
                fake_seeds=draws.fake_seeds,
                augmentation=draws.augmentation,
                augment_probability=numbers[0],
            ),
        )

    def _summing(self, name: str, settings: StepSettings, *, whole: bool) -> AbstractContextManager[None]:
        """Let gradients set off to other workers while they are computed, where they come one by one and only once."""
        if self.compiled or self.graphs is not None or not whole:
            return nullcontext()
        return self.sums[name].early(bf16=settings.reduce_precision == "bf16")

    def _take(self, name: str, gradients: list[Tensor], settings: StepSettings, spoilt: Tensor | None = None) -> Tensor:
        """Sum the gradients over workers and let a network take its step; returns whether it could not, as a tensor."""
        network: nn.Module = getattr(self.nets, name)
        optimizer: torch.optim.Optimizer = getattr(self.nets, f"{name}_optimizer")
        self.sums[name].finish(gradients, bf16=settings.reduce_precision == "bf16")
        return apply_gradients(network, gradients, optimizer, settings, spoilt)


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


def _numbers(settings: StepSettings, device: torch.device) -> Tensor:
    """What changes from step to step, on the device: a compiled step would be compiled anew for every other number.

    All are copied at once, and to a GPU without waiting until it has done what it was given before.

    Returns:
        [4] float32: the probability of augmentation, and the penalties' weights.
    """
    gammas = (settings.r1_gamma, settings.r2_gamma, settings.gradient_penalty)
    values = torch.tensor(
        [settings.augment_probability, *(gamma * settings.penalty_scale for gamma in gammas)],
        pin_memory=device.type == "cuda",
    )
    return values.to(device, non_blocking=True)
