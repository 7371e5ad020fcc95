"""The state of a training on one worker: new, with another run's networks, or as a checkpoint has it."""

import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gan.configuration.schedules import has_r1, has_r2, total_images
from gan.device.machine import machine_facts
from gan.errors import CheckpointError
from gan.generation.sampling import images_of_a_pass, sample_uint8
from gan.networks.build import build_discriminator, build_generator
from gan.networks.interface import trained
from gan.networks.residual import checkpoint_blocks
from gan.objective.adaptive import AdaptiveProbability
from gan.objective.gradients import Objective
from gan.objective.losses import LOSSES
from gan.training.checkpoint import Write, host_copy, load_header, load_tensors, restore_part, save_checkpoint
from gan.training.choice import Choice
from gan.training.context import TrainContext
from gan.training.feed import worker_slice
from gan.training.header import Header, first_difference, require_same_networks
from gan.training.partial import freeze_stages, take_fitting
from gan.training.step import Networks

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import AugmentConfig, Config

SAMPLE_ROWS, SAMPLE_COLUMNS = 10, 10


class TrainingState:
    """The state of a training on one worker.

    Args:
        config: of the run.
        context: this worker's place in it.
        header: what every checkpoint carries.

    Attributes:
        cur_nimg: images seen.
        total_nimg: images in the whole run.
        nets: networks and optimizers.
        objective: what they minimise, in fp32 until a choice is made.
        choice: how steps are computed; None until it is measured, or read from a checkpoint.
    """

    def __init__(self, config: "Config", context: TrainContext, header: Header) -> None:
        self.config = config
        self.context = context
        self.header = header
        self.cur_nimg = 0
        self.total_nimg = total_images(config.train.total_kimg, config.train.batch_size)
        self.choice: Choice | None = None
        torch.manual_seed(config.train.seed)  # initial weights alone are streamed, and equal on every rank
        G = build_generator(config.network, **header.shape).to(context.device)
        D = build_discriminator(config.network, **header.shape).to(context.device)
        freeze_stages(D, config.train.freeze_d)
        if config.train.checkpoint_activations:
            checkpoint_blocks(G)
            checkpoint_blocks(D)
        betas = (config.optimizer.beta1, config.optimizer.beta2)

        def adam(network: torch.nn.Module) -> torch.optim.Optimizer:
            return torch.optim.Adam(trained(network), lr=config.optimizer.lr, betas=betas, eps=1e-8, fused=True)

        G_ema = copy.deepcopy(G).eval().requires_grad_(False)
        self.nets = Networks(G, D, G_ema, adam(G), adam(D), _steered(config.augment, context.device))
        self.objective = objective_of(config)

    @property
    def finished(self) -> bool:
        """Whether all images of the run are seen."""
        return self.cur_nimg >= self.total_nimg

    def begin(self, start_from: Path | None = None) -> None:
        """Go on from the newest checkpoint if the context has one, else with another run's networks if one is given.

        Raises:
            CheckpointError: the checkpoint belongs to another run, or its networks have other shapes.
        """
        if (folder := self.context.latest_checkpoint()) is not None:
            self.restore(folder)
            return
        if start_from is not None:
            self.start_from(start_from)
        if self.header.choice:
            self.choice = _choice(self.header, "the choice of this run")

    def shares(self) -> list[tuple[int, int]]:
        """The images [first, last) of the next step that fall to this worker, by their global index.

        They are one batch; two where the generator has one of its own, and a step then takes twice the images.
        """
        return shares_of(self.config, self.cur_nimg, self.context.rank, self.context.world_size)

    def _parts(self) -> dict[str, Any]:
        nets = self.nets
        return {
            "G": nets.G,
            "D": nets.D,
            "G_ema": nets.G_ema,
            "G_optimizer": nets.G_optimizer,
            "D_optimizer": nets.D_optimizer,
        } | ({} if nets.augmentation is None else {"augmentation": nets.augmentation})

    def snapshot(self) -> Write:
        """Copy what a checkpoint holds to host memory, and return what writes it while training goes on."""
        assert self.choice is not None
        threads = torch.get_num_threads() + self.choice.spared
        machine = machine_facts(self.context.device, threads=threads, workers=self.context.world_size)
        header = self.header.at(self.cur_nimg, self.choice.as_header(), machine)
        tensors = host_copy({name: part.state_dict() for name, part in self._parts().items()})
        return partial(save_checkpoint, header=header, tensors=tensors)

    def restore(self, folder: Path) -> None:
        """Continue from a checkpoint of this run.

        Raises:
            CheckpointError: it was made under another configuration or from another dataset.
        """
        found = load_header(folder)
        if difference := first_difference(found.shaping(), self.header.shaping()):
            key, there, here = difference
            raise CheckpointError(
                f"{folder} cannot be resumed: its {key} is {there} but this run's is {here}: start a new run instead"
            )
        self._load(folder)
        self.cur_nimg = found.cur_nimg
        self.choice = _choice(found, str(folder))

    def start_from(self, folder: Path) -> None:
        """Begin with the networks, averages and optimizers of another run's checkpoint, at image 0.

        Where what fits is asked for, it is taken of networks and average, and the optimizers begin anew.

        Raises:
            CheckpointError: its networks have other shapes, or nothing of them fits.
        """
        found = load_header(folder)
        if self.config.train.warm_start == "fitting":
            self._take_fitting(folder)
            return
        require_same_networks(found, self.header, str(folder))
        # an optimizer of all stages has no place for the moments of some
        self._load(folder, but=("augmentation", *(("D_optimizer",) if self.config.train.freeze_d else ())))
        for optimizer in (self.nets.G_optimizer, self.nets.D_optimizer):
            for group in optimizer.param_groups:  # how the steps go on is for this run to say
                group["betas"] = (self.config.optimizer.beta1, self.config.optimizer.beta2)

    def _load(self, folder: Path, but: tuple[str, ...] = ()) -> None:
        tensors = load_tensors(folder, self.context.device)
        for name, part in self._parts().items():
            if name not in but:
                restore_part(part, tensors, name, folder)

    def _take_fitting(self, folder: Path) -> None:
        tensors = load_tensors(folder, self.context.device)
        fits = {name: take_fitting(getattr(self.nets, name), tensors.get(name)) for name in ("G", "D", "G_ema")}
        if not (fits["G"].taken or fits["D"].taken):
            raise CheckpointError(
                f"training cannot start from {folder}: no tensor of its networks has the name and shape of one of this "
                "run's: name a model of the same network.architecture, or train without a warm start"
            )
        if self.context.rank == 0:
            told = "; ".join(fits[name].told(name) for name in ("G", "D"))
            self.context.warn(f"this run begins with those tensors of the other model that fit it: {told}")

    def samples(self) -> np.ndarray:
        """Images of G_ema on fixed seeds, a row for each of the first 10 classes: [10 * rows, H, W, C] uint8."""
        rows = sample_rows(self.header.num_classes)
        labels = torch.arange(rows * SAMPLE_COLUMNS) // SAMPLE_COLUMNS
        side = self.config.data.resolution
        seeds = torch.arange(rows * SAMPLE_COLUMNS)
        return sample_uint8(self.nets.G_ema, seeds, labels, self.context.device, images_of_a_pass(side, side))


def sample_rows(num_classes: int) -> int:
    """Rows of sample images: one for each of the first classes."""
    return min(num_classes or SAMPLE_ROWS, SAMPLE_ROWS)


def objective_of(config: "Config") -> Objective:
    """Return the game of a configuration, in fp32."""
    return Objective(
        LOSSES[config.loss.kind],
        config.augment.operations,
        r1=has_r1(config.loss),
        r2=has_r2(config.loss),
        penalty_input=config.loss.penalty_input,
        colour_share=config.augment.colour_share,
        between=config.loss.gradient_penalty > 0,
    )


def shares_of(config: "Config", cur_nimg: int, rank: int, world_size: int) -> list[tuple[int, int]]:
    """As `TrainingState.shares`, of any worker after any number of images."""
    size, batches = config.train.batch_size, 2 if config.train.fresh_generator_batch else 1
    starts = [batches * cur_nimg + index * size for index in range(batches)]
    return [worker_slice(start, size, rank, world_size) for start in starts]


def _steered(augment: "AugmentConfig", device: torch.device) -> AdaptiveProbability | None:
    """The probability of augmentation, where it is steered."""
    if augment.target is None:
        return None
    return AdaptiveProbability(augment.probability, augment.target, augment.adapt_kimg).to(device)


def _choice(header: Header, name: str) -> Choice:
    try:
        return Choice(**header.choice)
    except TypeError:
        raise CheckpointError(f"{name} was made by another ganflow: use that one, or start a new run") from None
