"""The training loop: one training, any number of workers, resumable at every checkpoint."""

import copy
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gan.configuration.schedules import step_settings, total_images, zero_centred
from gan.errors import CheckpointError
from gan.generation.sampling import sample_uint8
from gan.networks.build import build_discriminator, build_generator
from gan.objective.gradients import Objective
from gan.objective.losses import LOSSES
from gan.training.checkpoint import SHAPE_KEYS, first_difference, load_header, load_tensors, save_checkpoint, shaping
from gan.training.context import Progress, TrainContext
from gan.training.feed import Feed, worker_slice
from gan.training.probe import Choice, choose
from gan.training.step import Networks, Step

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import Config

SAMPLE_COLUMNS = 10
FIRST_SNAPSHOT = 1024
TELL_SECONDS = 5.0
"""Between two records a large network on a small machine takes minutes: meanwhile it says how far it is."""
SHAPELESS_KEYS = ("max_classes", "dropout")
"""Keys of the networks that change no weight's shape."""


class Means:
    """Running sums of the step's terms, summed over workers only when they are read."""

    def __init__(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.images: dict[str, int] = {}

    def add(self, terms: dict[str, torch.Tensor], images: int) -> None:
        """Add one step's sums; `images` is the global batch. Terms that only some steps have are means over those."""
        for name, value in terms.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.images[name] = self.images.get(name, 0) + images

    def flush(self, context: TrainContext) -> dict[str, float]:
        """Means per image over all workers since the last flush; every rank must call it."""
        names = sorted(self.sums)
        flat = torch.stack([self.sums[name].float() / self.images[name] for name in names])
        context.all_reduce(flat)
        means = dict(zip(names, flat.tolist(), strict=True))
        self.sums, self.images = {}, {}
        return means


class Run:
    """A training run's state on one worker: networks, optimizers, the count of images seen, how steps are computed."""

    def __init__(self, config: "Config", context: TrainContext, header: dict[str, Any]) -> None:
        self.config = config
        self.context = context
        self.header = header
        self.cur_nimg = 0
        self.choice: Choice | None = None
        shape = {key: header[key] for key in SHAPE_KEYS}
        torch.manual_seed(config.train.seed)  # initial weights alone are streamed, and equal on every rank
        G = build_generator(config.network, **shape).to(context.device)
        D = build_discriminator(config.network, **shape).to(context.device)
        betas = (config.optimizer.beta1, config.optimizer.beta2)

        def adam(network: torch.nn.Module) -> torch.optim.Optimizer:
            return torch.optim.Adam(network.parameters(), lr=config.optimizer.lr, betas=betas, eps=1e-8, fused=True)

        G_ema = copy.deepcopy(G).eval().requires_grad_(False)
        self.nets = Networks(G, D, G_ema, adam(G), adam(D))
        self.objective = Objective(
            LOSSES[config.loss.kind],
            config.augment.operations,
            zero_centred=zero_centred(config.loss),
            between=config.loss.gradient_penalty > 0,
        )

    def _parts(self) -> dict[str, Any]:
        nets = self.nets
        return {
            "G": nets.G,
            "D": nets.D,
            "G_ema": nets.G_ema,
            "G_optimizer": nets.G_optimizer,
            "D_optimizer": nets.D_optimizer,
        }

    def save(self, folder: Path) -> None:
        """Write this run's checkpoint into an existing folder."""
        assert self.choice is not None
        tensors = {name: part.state_dict() for name, part in self._parts().items()}
        save_checkpoint(folder, self.header | {"cur_nimg": self.cur_nimg, "choice": self.choice.as_header()}, tensors)

    def restore(self, folder: Path) -> None:
        """Continue from a checkpoint.

        Raises:
            CheckpointError: it was made under another configuration or from another dataset.
        """
        found = load_header(folder)
        if difference := first_difference(shaping(found), shaping(self.header)):
            key, there, here = difference
            raise CheckpointError(
                f"{folder} cannot be resumed: its {key} is {there} but this run's is {here}: start a new run instead"
            )
        self._load(folder)
        self.cur_nimg = found["cur_nimg"]
        self.choice = Choice(**found["choice"])

    def start_from(self, folder: Path) -> None:
        """Begin with the networks, averages and optimizers of another run's checkpoint, at image 0.

        Raises:
            CheckpointError: its networks have other shapes.
        """
        require_same_networks(load_header(folder), self.header, str(folder))
        self._load(folder)
        for optimizer in (self.nets.G_optimizer, self.nets.D_optimizer):
            for group in optimizer.param_groups:  # how the steps go on is for this run to say
                group["betas"] = (self.config.optimizer.beta1, self.config.optimizer.beta2)

    def _load(self, folder: Path) -> None:
        tensors = load_tensors(folder, self.context.device)
        for name, part in self._parts().items():
            part.load_state_dict(tensors[name])

    def samples(self) -> np.ndarray:
        """Images of G_ema on fixed seeds, a row for each of the first 10 classes: [10 * rows, H, W, C] uint8."""
        classes = self.header["num_classes"]
        rows = min(classes or 10, 10)
        labels = torch.arange(rows * SAMPLE_COLUMNS) // SAMPLE_COLUMNS
        return sample_uint8(self.nets.G_ema, torch.arange(rows * SAMPLE_COLUMNS), labels, self.context.device)


def require_same_networks(found: dict[str, Any], wanted: dict[str, Any], name: str) -> None:
    """Refuse to begin a run with another run's networks where their shapes differ.

    Args:
        found: header of the checkpoint to begin with.
        wanted: header of the run.
        name: what the checkpoint is called in the sentence.

    Raises:
        CheckpointError: the first key that differs, with both values.
    """

    def shape(header: dict[str, Any]) -> dict[str, Any]:
        network = {
            key: value for key, value in header["config"].get("network", {}).items() if key not in SHAPELESS_KEYS
        }
        return {key: header[key] for key in SHAPE_KEYS} | {"network": network}

    if difference := first_difference(shape(found), shape(wanted)):
        key, there, here = difference
        raise CheckpointError(
            f"training cannot start from {name}: its {key} is {there} but this run's is {here}: "
            "train without a warm start, or with the configuration of that model"
        )


def crossed(cur_nimg: int, batch_size: int, every_kimg: float) -> bool:
    """Whether the last step passed a multiple of `every_kimg`."""
    every = max(int(every_kimg * 1000), 1)
    return cur_nimg // every > (cur_nimg - batch_size) // every


def doubled(cur_nimg: int, batch_size: int) -> bool:
    """Whether the last step passed a power of two, from `FIRST_SNAPSHOT` on."""
    return cur_nimg >= FIRST_SNAPSHOT and cur_nimg.bit_length() > (cur_nimg - batch_size).bit_length()


def run_training(
    config: "Config",
    images: np.ndarray,
    labels: np.ndarray,
    context: TrainContext,
    header: dict[str, Any],
    start_from: Path | None = None,
) -> Run:
    """Train until `config.train.total_kimg`, from the newest checkpoint if the context has one.

    Args:
        config: the run's configuration.
        images: [N, H, W, C] uint8, the train split.
        labels: [N] int64, -1 where there are none.
        context: this worker's place in the run.
        header: what every checkpoint carries: config, training_hash, dataset_md5, channels, num_classes.
        start_from: checkpoint of another run to begin with, where this one has none of its own yet.

    Returns:
        The finished run.

    Raises:
        NonFiniteLossError: a loss or gradient is not finite; the last checkpoint stands.
        CheckpointError: the checkpoint belongs to another run, or its networks have other shapes.
    """
    run = Run(config, context, header)
    if (folder := context.latest_checkpoint()) is not None:
        run.restore(folder)
    elif start_from is not None:
        run.start_from(start_from)
    feed = Feed(images, labels, seed=config.train.seed, flip=config.train.flip, device=context.device)
    settings, size = config.train, config.train.batch_size
    total = total_images(settings.total_kimg, size)

    def share() -> tuple[int, int]:
        return worker_slice(run.cur_nimg, size, context.rank, context.world_size)

    if run.choice is None:
        run.choice = choose(config, run.nets, run.objective, feed, context, share())
    torch.set_num_threads(max(1, torch.get_num_threads() - run.choice.spared))
    step = Step(run.nets, replace(run.objective, bf16=run.choice.bf16), context, compiled=run.choice.compiled)
    context.report(Progress(run.cur_nimg, total, choice=str(run.choice)))
    means, since = Means(), time.perf_counter()
    logged, told = run.cur_nimg, since
    while run.cur_nimg < total:
        terms = step(feed.batch(*share()), step_settings(config, run.cur_nimg), run.cur_nimg)
        run.cur_nimg += size
        means.add(terms, size)
        done = run.cur_nimg >= total
        if done or crossed(run.cur_nimg, size, settings.log_kimg):
            found, now = means.flush(context), time.perf_counter()
            rate = (run.cur_nimg - logged) / (now - since)
            context.report(Progress(run.cur_nimg, total, found | {"images_per_second": rate}))
            logged, since, told = run.cur_nimg, now, now
        elif (now := time.perf_counter()) - told > TELL_SECONDS:
            told = now
            context.report(Progress(run.cur_nimg, total, rate=(run.cur_nimg - logged) / (now - since)))
        if context.rank == 0 and (done or doubled(run.cur_nimg, size)):
            context.report(Progress(run.cur_nimg, total, samples=run.samples()))
        if done or crossed(run.cur_nimg, size, settings.checkpoint_kimg):
            context.save_checkpoint(run.cur_nimg, run.save)
    return run
