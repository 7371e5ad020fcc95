"""The training loop: one training, any number of workers, resumable at every checkpoint."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gan.configuration.schedules import step_settings
from gan.device.fp32 import round_fp32
from gan.device.precision import choose_kernels
from gan.objective.augment import numbers_of
from gan.objective.gradients import Terms
from gan.training.compiling import compiles_here
from gan.training.context import Notice, Progress, TrainContext
from gan.training.feed import Batch, Feed
from gan.training.header import Header
from gan.training.place import Budget, checkpoint_bytes, measured_budget, no_room, step_bytes
from gan.training.probe import Trial, choose
from gan.training.records import Records, crossed
from gan.training.standing import measure_statistics
from gan.training.state import TrainingState
from gan.training.step import Step

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import Config


def run_training(
    config: "Config",
    images: np.ndarray,
    labels: np.ndarray,
    context: TrainContext,
    header: Header,
    start_from: Path | None = None,
    *,
    feed_memory: int | None = None,
    workers_here: int = 1,
) -> TrainingState:
    """Train until `config.train.total_kimg`, from the newest checkpoint if the context has one.

    Args:
        config: the run's configuration.
        images: [N, H, W, C] uint8, the train split.
        labels: [N] int64, -1 where there are none.
        context: this worker's place in the run.
        header: what every checkpoint carries.
        start_from: checkpoint of another run to begin with, where this one has none of its own yet.
        feed_memory: bytes of images that this worker may hold; None: what leaves room for the rest.
        workers_here: workers on this host, which share its memory.

    Returns:
        The training, finished unless its context wanted it to leave.

    Raises:
        NonFiniteLossError: gradients were not finite too many steps in a row; the last checkpoint stands.
        CheckpointError: the checkpoint belongs to another run, or its networks have other shapes.
        ReadError: the images are on a disk that cannot be read any more.
    """
    state = TrainingState(config, context, header)
    state.begin(start_from)
    reserved = step_bytes(config, header, context.world_size)
    copied = checkpoint_bytes(config, header)
    budget = measured_budget(
        context.device, reserved, copied=copied, feed_memory=feed_memory, workers_here=workers_here
    )
    context.report(Progress(state.cur_nimg, state.total_nimg, images=budget.told(images)))
    with open_feed(config, images, labels, context.device, budget) as feed:
        step = prepare_step(state, feed)
        records = Records(state, step.bad_steps)
        while not state.finished:
            with records.timing.part("feed"):
                batches = [feed.batch(*share) for share in state.shares()]
            terms = taken(step, batches, config, state.cur_nimg)
            state.cur_nimg += config.train.batch_size
            marked = records.after_step(terms)
            notice = context.notice() if marked or context.world_size == 1 else Notice.NONE
            if (
                state.finished
                or notice is not Notice.NONE
                or crossed(state.cur_nimg, config.train.batch_size, config.train.checkpoint_kimg)
            ):
                step.bad_steps.check(config.train.most_bad_steps, context.rank)
                with records.timing.part("checkpoint"):
                    keep(state, feed.labels)
            if notice is Notice.LEAVE:
                break
    return state


def keep(state: TrainingState, labels: Tensor) -> None:
    """Write a checkpoint, with G_ema as it draws best; `labels` [N] int64 are those of the training images."""
    train = state.config.train
    measure_statistics(state.nets.G_ema, labels, train.standing_images, train.batch_size)
    state.context.save_checkpoint(state.cur_nimg, state.snapshot)


def taken(step: Step, batches: Sequence[Batch], config: "Config", cur_nimg: int) -> Terms:
    """Take one step.

    Raises:
        ResourcesError: the memory of a GPU is too small for it.
    """
    try:
        return step(batches[0], step_settings(config, cur_nimg), cur_nimg, *batches[1:])
    except torch.OutOfMemoryError:
        raise no_room(len(batches[0].labels)) from None


def open_feed(config: "Config", images: np.ndarray, labels: np.ndarray, device: torch.device, budget: Budget) -> Feed:
    """Open a configuration's feed."""
    train = config.train
    return Feed(
        images,
        labels,
        seed=train.seed,
        flip=train.flip,
        latent_dim=config.network.latent_dim,
        augmentation=numbers_of(config.augment.operations),
        device=device,
        batch_size=train.batch_size,
        budget=budget,
    )


def prepare_step(state: TrainingState, feed: Feed) -> Step:
    """Return how the steps of a training are computed: as its checkpoint says, or as the probe finds fastest here."""
    choose_kernels(state.context.device, deterministic=state.config.train.deterministic)
    new = state.choice is None
    if state.choice is None:
        trial = Trial(state.config, state.nets, state.objective, feed, state.context, state.shares())
        state.choice = choose(trial)
    round_fp32(state.context.device, tf32=state.choice.tf32)
    torch.set_num_threads(max(1, torch.get_num_threads() - state.choice.spared))
    objective = replace(state.objective, bf16=state.choice.bf16)
    gpu = state.context.device.type == "cuda"  # and not the CPU of a machine on which the run is taken up again
    captured = state.choice.captured and gpu
    asked = bool(state.config.train.compile)
    compiled = state.choice.compiled and (gpu or asked)
    if compiled and not (new or asked):  # it was found faster where the run began; here may be no compiler
        compiled = compiles_here(state.context)
    return Step(state.nets, objective, state.context, compiled=compiled, captured=captured)
