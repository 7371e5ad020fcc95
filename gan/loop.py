"""The training loop: one training, any number of workers, resumable at every checkpoint."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gan.checkpoint import load_header, load_tensors, save_checkpoint
from gan.context import Progress, TrainContext
from gan.errors import CheckpointError
from gan.feed import Feed, worker_slice
from gan.networks.build import build_discriminator, build_generator
from gan.sampling import sample_uint8
from gan.schedules import cosine, ema_decay, total_images
from gan.step import Networks, StepSettings, train_step

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.config import Config

SAMPLE_COLUMNS = 10


class Means:
    """Running sums of the step's terms, summed over workers only when they are read."""

    def __init__(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.images = 0

    def add(self, terms: dict[str, torch.Tensor], images: int) -> None:
        """Add one step's sums; `images` is the global batch."""
        for name, value in terms.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.images += images

    def flush(self, context: TrainContext) -> dict[str, float]:
        """Means per image over all workers since the last flush; every rank must call it."""
        names = sorted(self.sums)
        flat = torch.stack([self.sums[name].float() for name in names])
        context.all_reduce(flat)
        means = dict(zip(names, (flat / self.images).tolist(), strict=True))
        self.sums, self.images = {}, 0
        return means


class Run:
    """A training run's state on one worker: networks, optimizers and the count of images seen."""

    def __init__(self, config: "Config", context: TrainContext, header: dict[str, Any]) -> None:
        self.config = config
        self.context = context
        self.header = header
        self.cur_nimg = 0
        shape = {"channels": header["channels"], "num_classes": header["num_classes"]}
        torch.manual_seed(config.train.seed)  # initial weights alone are streamed, and equal on every rank
        G = build_generator(config.network, **shape).to(context.device)
        D = build_discriminator(config.network, **shape).to(context.device)
        betas = (config.optimizer.beta1, config.optimizer.beta2)

        def adam(network: torch.nn.Module) -> torch.optim.Optimizer:
            return torch.optim.Adam(network.parameters(), lr=config.optimizer.lr, betas=betas, eps=1e-8, fused=True)

        G_ema = copy.deepcopy(G).eval().requires_grad_(False)
        self.nets = Networks(G, D, G_ema, adam(G), adam(D))

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
        tensors = {name: part.state_dict() for name, part in self._parts().items()}
        save_checkpoint(folder, self.header | {"cur_nimg": self.cur_nimg}, tensors)

    def restore(self, folder: Path) -> None:
        """Continue from a checkpoint.

        Raises:
            CheckpointError: it was made under another configuration or from another dataset.
        """
        found = load_header(folder)
        for key, wanted in self.header.items():
            if key != "config" and found.get(key) != wanted:
                raise CheckpointError(
                    f"{folder} cannot be resumed: its {key} is {found.get(key)} but this run's is {wanted}: "
                    "start a new run instead"
                )
        tensors = load_tensors(folder, self.context.device)
        for name, part in self._parts().items():
            part.load_state_dict(tensors[name])
        self.cur_nimg = found["cur_nimg"]

    def samples(self) -> np.ndarray:
        """Images of G_ema on fixed seeds, a row for each of the first 10 classes: [10 * rows, H, W, C] uint8."""
        classes = self.header["num_classes"]
        rows = min(classes or 10, 10)
        labels = torch.arange(rows * SAMPLE_COLUMNS) // SAMPLE_COLUMNS
        return sample_uint8(self.nets.G_ema, torch.arange(rows * SAMPLE_COLUMNS), labels, self.context.device)


def step_settings(config: "Config", cur_nimg: int) -> StepSettings:
    """The schedules' values at an image count."""
    train, optimizer = config.train, config.optimizer
    total = total_images(train.total_kimg, train.batch_size)
    return StepSettings(
        batch_size=train.batch_size,
        r1_gamma=config.loss.r1_gamma,
        r2_gamma=config.loss.r2_gamma,
        lr=cosine(optimizer.lr, optimizer.final_lr, cur_nimg, total),
        ema_decay=ema_decay(train.batch_size, train.ema_halflife_kimg, cur_nimg),
    )


def crossed(cur_nimg: int, batch_size: int, every_kimg: float) -> bool:
    """Whether the last step passed a multiple of `every_kimg`."""
    every = max(int(every_kimg * 1000), 1)
    return cur_nimg // every > (cur_nimg - batch_size) // every


def train(
    config: "Config", images: np.ndarray, labels: np.ndarray, context: TrainContext, header: dict[str, Any]
) -> Run:
    """Train until `config.train.total_kimg`, from the newest checkpoint if the context has one.

    Args:
        config: the run's configuration.
        images: [N, H, W, C] uint8, the train split.
        labels: [N] int64, -1 where there are none.
        context: this worker's place in the run.
        header: what every checkpoint carries: config, training_hash, dataset_md5, channels, num_classes.

    Returns:
        The finished run.

    Raises:
        NonFiniteLossError: a loss or gradient is not finite; the last checkpoint stands.
        CheckpointError: the checkpoint to resume from belongs to another run.
    """
    run = Run(config, context, header)
    if (folder := context.latest_checkpoint()) is not None:
        run.restore(folder)
    feed = Feed(images, labels, seed=config.train.seed, flip=config.train.flip, device=context.device)
    settings, size = config.train, config.train.batch_size
    total = total_images(settings.total_kimg, size)
    means = Means()
    while run.cur_nimg < total:
        batch = feed.batch(*worker_slice(run.cur_nimg, size, context.rank, context.world_size))
        terms = train_step(run.nets, batch, step_settings(config, run.cur_nimg), context, run.cur_nimg)
        run.cur_nimg += size
        means.add(terms, size)
        done = run.cur_nimg >= total
        if done or crossed(run.cur_nimg, size, settings.log_kimg):
            context.report(Progress(run.cur_nimg, total, means.flush(context)))
        if context.rank == 0 and (done or crossed(run.cur_nimg, size, settings.snapshot_kimg)):
            context.report(Progress(run.cur_nimg, total, samples=run.samples()))
        if done or crossed(run.cur_nimg, size, settings.checkpoint_kimg):
            context.save_checkpoint(run.cur_nimg, run.save)
    return run
