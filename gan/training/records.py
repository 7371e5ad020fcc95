"""What a training says of itself: losses and speed at every mark, how far it is in between, and sample images."""

import time
from typing import Any

import torch

from gan.objective.gradients import Terms
from gan.training.bad_steps import BadSteps
from gan.training.context import Progress, TrainContext
from gan.training.state import TrainingState
from gan.training.timing import Timing

FIRST_SNAPSHOT = 1024
TELL_SECONDS = 5.0
"""Between two marks a large network on a small machine takes minutes: meanwhile it says how far it is."""


class Means:
    """Running sums of the step's terms, summed over workers only when they are read."""

    def __init__(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.images: dict[tuple[str, ...], torch.Tensor] = {}  # by the terms of the steps that passed them

    def add(self, terms: Terms, images: int, skipped: torch.Tensor) -> None:
        """Add one step's sums.

        Args:
            terms: of the step; what only some steps have is a mean over those.
            images: of the global batch.
            skipped: bool scalar, whether the step was not taken: its terms are 0, and its images do not count.
        """
        for name, value in terms.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        names, counted = tuple(terms), torch.where(skipped, 0, images)
        self.images[names] = self.images[names] + counted if names in self.images else counted

    def flush(self, context: TrainContext) -> dict[str, float]:
        """Means per image over all workers since the last flush; every rank must call it."""
        names = sorted(self.sums)
        images = [torch.stack([count for of, count in self.images.items() if name in of]).sum() for name in names]
        flat = torch.stack([self.sums[name].float() for name in names]) / torch.stack(images).clamp(min=1)
        context.all_reduce(flat)
        means = dict(zip(names, flat.tolist(), strict=True))
        self.sums, self.images = {}, {}
        return means


class Records:
    """Hands the progress of a training to its context, step by step.

    Args:
        state: of the training, whose `cur_nimg` counts the steps.
        bad_steps: of the training.

    Attributes:
        timing: counts where the time goes.
    """

    def __init__(self, state: TrainingState, bad_steps: BadSteps) -> None:
        self.state = state
        self.bad_steps = bad_steps
        self.means = Means()
        self.marked_nimg = state.cur_nimg
        self.timing = Timing(state.context)
        self.marked_at = self.told_at = time.perf_counter()
        self._report(choice=str(state.choice))

    def after_step(self, terms: Terms) -> bool:
        """Take a step's terms in, and report what is due; every rank must call it after every step.

        Returns:
            Whether the step reached a mark, of which the means were reported; on all ranks alike.

        Raises:
            NonFiniteLossError: at a mark: too many steps in a row were skipped.
        """
        state, train = self.state, self.state.config.train
        self.means.add(terms, train.batch_size, self.bad_steps.in_a_row > 0)
        marked = state.finished or crossed(state.cur_nimg, train.batch_size, train.log_kimg)
        if marked:
            means, now = self.means.flush(state.context), time.perf_counter()
            skipped = self.bad_steps.check(train.most_bad_steps, state.context.rank)
            counted = {"skipped_steps": float(skipped)} if skipped else {}
            if (steered := state.nets.augmentation) is not None:
                counted["augment_probability"] = float(steered.probability)
            self._report(metrics=means | counted | {"images_per_second": self._rate(now)} | self._timed())
            self.marked_nimg, self.marked_at, self.told_at = state.cur_nimg, now, now
        elif (now := time.perf_counter()) - self.told_at > TELL_SECONDS:
            self.told_at = now
            self._report(rate=self._rate(now))
        if state.context.rank == 0 and (state.finished or doubled(state.cur_nimg, train.batch_size)):
            self._report(samples=state.samples())
        return marked

    def _rate(self, now: float) -> float:
        """Images a second since the last mark."""
        return (self.state.cur_nimg - self.marked_nimg) / (now - self.marked_at)

    def _timed(self) -> dict[str, float]:
        first, last = self.state.shares()[0]
        steps = (self.state.cur_nimg - self.marked_nimg) // self.state.config.train.batch_size
        return self.timing.flush(steps * (last - first))

    def _report(self, **what: Any) -> None:
        self.state.context.report(Progress(self.state.cur_nimg, self.state.total_nimg, **what))


def crossed(cur_nimg: int, batch_size: int, every_kimg: float) -> bool:
    """Whether the last step passed a multiple of `every_kimg`."""
    every = max(int(every_kimg * 1000), 1)
    return cur_nimg // every > (cur_nimg - batch_size) // every


def doubled(cur_nimg: int, batch_size: int) -> bool:
    """Whether the last step passed a power of two, from `FIRST_SNAPSHOT` on."""
    return cur_nimg >= FIRST_SNAPSHOT and cur_nimg.bit_length() > (cur_nimg - batch_size).bit_length()
