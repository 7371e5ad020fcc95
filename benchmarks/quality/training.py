"""The training of one cell: its budget in images, then a run that goes on where a killed one was."""

import contextlib
import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gan.configuration.config import Config
from gan.configuration.parsing import apply_overrides
from gan.errors import ConfigError
from gan.objective.augment import numbers_of
from gan.training.context import Progress, SingleWorker
from gan.training.feed import Feed
from gan.training.header import Header, first_difference
from gan.training.loop import run_training
from gan.training.probe import Trial, choose
from gan.training.state import TrainingState
from quality.cells import Budget, Cell
from quality.clock import Clock, TimedContext, until_asked_to_end
from quality.data import Data
from quality.kept import kept, read_json, write_json
from quality.looking import Looks, looked_at
from quality.measuring import Judge, reference_of

PROBE_SECONDS = 20.0
CHECKPOINTS, RECORDS = 20, 60
ENDLESS_KIMG = 1e9
Say = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        run: with the networks.
        record: what is told of it.
    """

    run: TrainingState
    record: dict[str, Any]


class LeftError(Exception):
    """A training was asked to end before it was finished, and can be gone on with.

    Attributes:
        record: what is known of it until then.
    """

    def __init__(self, cur_nimg: int, on_the_way: list[dict[str, Any]]) -> None:
        super().__init__(f"asked to end after {cur_nimg:,} images: the same command goes on from there")
        self.record = {"images": cur_nimg, "on_the_way": on_the_way}


class _Measured(Exception):  # noqa: N818 - no error
    """The speed is known."""


class _Stopwatch(SingleWorker):
    """Ends a run that has gone on for some seconds after its first record, and knows its speed."""

    def __init__(self, device: torch.device, seconds: float) -> None:
        super().__init__(device)
        self.limit = seconds
        self.first: tuple[int, float] | None = None
        self.images_per_second = 0.0

    def report(self, progress: Progress) -> None:
        if not progress.metrics:
            return
        now = time.perf_counter()
        if self.first is None:  # kernels are chosen and steps compiled before it
            self.first = (progress.cur_nimg, now)
            return
        images, seconds = progress.cur_nimg - self.first[0], now - self.first[1]
        if seconds >= self.limit:
            self.images_per_second = images / seconds
            raise _Measured


def train_cell(
    cell: Cell,
    data: Data,
    folder: Path,
    device: torch.device,
    say: Say,
    judge: Judge | None = None,
    looked_by: int = 0,
) -> Trained:
    """Train a cell, or what is left of its training.

    Args:
        cell: what to train.
        data: of the cell.
        folder: of the cell.
        device: where to train.
        say: told how far it is.
        judge: of checkpoints on the way; None: nobody looks at them.
        looked_by: images of each that it draws; 0: none.

    Raises:
        NonFiniteLossError: the training broke down.
        LeftError: it was asked to end by SIGTERM, and has kept a checkpoint.
    """
    config = cell.config()
    header = header_of(config, data)
    choice = kept(folder / "choice.json", lambda: choose_way(config, data, device, say))
    budget = kept(folder / "budget.json", lambda: choice | measure(config, cell.budget, data, device, say, choice))
    chosen = within(config, budget)
    header = replace(header, config=chosen.model_dump(mode="json"), training_hash=chosen.training_hash())
    clock = Clock(folder / "training" / "clock.json", prepared=budget["compiled"] or device.type == "cuda")
    look = None
    if judge is not None and looked_by:
        real = reference_of(cell, data, looked_by)
        look = Looks(folder / "on-the-way", real, judge, clock, round(1000 * chosen.train.total_kimg))
    importlib.import_module("torch._dynamo")  # seconds, which the optimizers' first step would take
    with until_asked_to_end() as leave:
        context = TimedContext(folder / "training", clock, say, device, look, leave)
        run = run_training(chosen, data.train.images, data.train.labels, context, header)
    if not run.finished:
        raise LeftError(run.cur_nimg, looked_at(folder / "on-the-way"))
    torch.compiler.reset()
    seconds = clock.at(run.cur_nimg)
    record = budget | {"images": run.cur_nimg, "seconds": round(seconds, 2), "starts": clock.starts}
    record["on_the_way"] = looked_at(folder / "on-the-way")
    return Trained(run, record | {"images_per_second": round(run.cur_nimg / seconds, 1)})


def header_of(config: Config, data: Data) -> Header:
    """Return what checkpoints say of a training."""
    return Header(
        config=config.model_dump(mode="json"),
        training_hash=config.training_hash(),
        dataset_md5=data.train.digest,
        channels=data.train.images.shape[3],
        num_classes=data.num_classes if config.network.conditional else 0,
        class_names=tuple(str(label) for label in range(data.num_classes)),
    )


def choose_way(config: Config, data: Data, device: torch.device, say: Say) -> dict[str, Any]:
    """Return how steps are computed here: the probe's choice, and what it measured."""
    fresh = TrainingState(config, SingleWorker(device), header_of(config, data))
    feed = Feed(
        data.train.images,
        data.train.labels,
        seed=config.train.seed,
        flip=config.train.flip,
        latent_dim=config.network.latent_dim,
        augmentation=numbers_of(config.augment.operations),
        device=device,
    )
    shares = [(0, config.train.batch_size)]
    choice = choose(Trial(config, fresh.nets, fresh.objective, feed, SingleWorker(device), shares))
    torch.compiler.reset()  # shapes of the next network would count as changes of this one's
    say(f"steps are computed in {choice}")
    found = {"precision": choice.precision, "compiled": choice.compiled, "captured": choice.captured}
    return found | {"rates": choice.rates}


def measure(
    config: Config, budget: Budget, data: Data, device: torch.device, say: Say, choice: dict[str, Any]
) -> dict[str, Any]:
    """Return how many images a budget pays for, where steps are computed in a way that was chosen.

    The images are fixed before the training, because its schedules end with it.
    """
    header, size = header_of(config, data), config.train.batch_size
    if budget.seconds is None:
        return {"total_kimg": budget.kimg, "probed_images_per_second": None}
    # whole rounds of steps between records, so that a lazy penalty counts for what it is
    steps = math.lcm(config.loss.penalty_every, config.train.generator_every)
    endless = apply_overrides(
        _fixed(config, choice),
        [f"train.total_kimg={ENDLESS_KIMG}", f"train.log_kimg={steps * math.ceil(8 / steps) * size / 1000}"],
    )
    watch = _Stopwatch(device, min(PROBE_SECONDS, budget.seconds))
    say(f"the speed is measured for {watch.limit:.0f} s")
    with contextlib.suppress(_Measured):
        run_training(endless, data.train.images, data.train.labels, watch, header)
    torch.compiler.reset()
    kimg = max(budget.seconds * watch.images_per_second, size) / 1000
    return {"total_kimg": round(kimg, 3), "probed_images_per_second": round(watch.images_per_second, 1)}


def within(config: Config, budget: dict[str, Any]) -> Config:
    """Return the configuration of the run itself: its length, its rhythm, and how steps are computed."""
    total = budget["total_kimg"]
    least = config.train.batch_size / 1000
    return apply_overrides(
        _fixed(config, budget),
        [
            f"train.total_kimg={total}",
            f"train.checkpoint_kimg={max(total / CHECKPOINTS, least)}",
            f"train.log_kimg={max(total / RECORDS, least)}",
        ],
    )


def _fixed(config: Config, found: dict[str, Any]) -> Config:
    ways = {"compile": found["compiled"], "capture": found["captured"]}
    chosen = [f"train.{key}={'true' if taken else 'false'}" for key, taken in ways.items()]
    return apply_overrides(config, [f"train.precision={found['precision']}", *chosen])


def require_same(cell: Cell, data: Data, folder: Path) -> None:
    """Say in a new folder what it is of, and check that one that is there already is of that.

    Raises:
        ConfigError: the folder holds another training.
    """
    path = folder / "plan.json"
    plan = {"config": cell.config().model_dump(mode="json"), "dataset": data.train.digest}
    found = read_json(path)
    if found is None:
        write_json(path, plan)
    elif difference := first_difference(found, plan):
        key, there, here = difference
        raise ConfigError(
            f"{folder} holds a training whose {key} is {there}, but here it is {here}: remove that folder, or name "
            "another by --out"
        )
