"""What the training loop sees of the machine it runs on, and the implementation for one process."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gan.training.checkpoint import Snapshot, newest_complete, write_checkpoint_folder


@dataclass(frozen=True)
class Progress:
    """What a run says of itself while it runs.

    Attributes:
        cur_nimg: images seen.
        total_nimg: images in the whole run.
        metrics: name -> value, means since the last record; empty where there is only a picture.
        samples: [N, H, W, C] uint8 from G_ema on fixed seeds, or None.
        choice: how steps are computed, said once at the start; else empty.
        rate: images a second since the run or worker began, between two records of metrics; else None.
        images: where the training images are and why, said once at the start; else empty.
    """

    cur_nimg: int
    total_nimg: int
    metrics: dict[str, float] = field(default_factory=dict)
    samples: np.ndarray | None = None
    choice: str = ""
    rate: float | None = None
    images: str = ""


class Notice(Enum):
    """What is wanted of a training from outside: nothing, a checkpoint, or a checkpoint and its end."""

    NONE, SAVE, LEAVE = range(3)


class TrainContext(Protocol):
    """One worker's view of a training run; `tasks/train/worker.py` implements it on Ray Train."""

    rank: int
    world_size: int
    device: torch.device
    shares_cores: bool
    """Whether something of the run's own computes on the same cores beside the training."""

    reduce_seconds: float
    """Spent in sums over ranks until now, waiting for other ranks among it; on a GPU, which is given work and not
    waited for, only what it took to ask for them."""

    def all_reduce(self, tensor: Tensor) -> None:
        """Replace `tensor` on every rank by the sum over ranks, in place."""

    def begin_all_reduce(self, tensor: Tensor, *, bf16: bool = False) -> Callable[[], None]:
        """Begin to do so, on every rank in the same order; what is returned waits until the sum is there.

        Args:
            tensor: nobody else's until then.
            bf16: whether it is sent as bfloat16, half the bytes of float32. Sums are made in float32 and rounded once.
        """

    def report(self, progress: Progress) -> None:
        """Hand a progress record on; ranks other than 0 may drop it."""

    def warn(self, sentence: str) -> None:
        """Tell the user something that does not stop the run."""

    def save_checkpoint(self, cur_nimg: int, snapshot: Snapshot) -> None:
        """Keep a checkpoint; called by every rank equally often. Rank 0 takes the snapshot, and may write it later."""

    def notice(self) -> Notice:
        """What is wanted: once a checkpoint for each notice that a machine will be taken away, on all ranks alike.

        Every rank calls it equally often: with several after a mark, with one after every step.
        """

    def latest_checkpoint(self) -> Path | None:
        """The newest complete checkpoint of this run, for resuming; None at a first start."""


class SingleWorker:
    """One worker that keeps nothing: for measuring steps.

    Args:
        device: where to compute.
        on_warning: called with a sentence for the user.
    """

    rank = 0
    world_size = 1
    shares_cores = False
    reduce_seconds = 0.0

    def __init__(self, device: torch.device, *, on_warning: Callable[[str], None] = lambda sentence: None) -> None:
        self.device = device
        self.on_warning = on_warning

    def all_reduce(self, tensor: Tensor) -> None:
        """Do nothing: one worker's sum is the sum."""

    def begin_all_reduce(self, tensor: Tensor, *, bf16: bool = False) -> Callable[[], None]:
        """Have the sum at once."""
        self.all_reduce(tensor)
        return lambda: None

    def report(self, progress: Progress) -> None:
        """Do nothing."""

    def warn(self, sentence: str) -> None:
        """Hand it on, if anyone listens."""
        self.on_warning(sentence)

    def save_checkpoint(self, cur_nimg: int, snapshot: Snapshot) -> None:
        """Do nothing."""

    def notice(self) -> Notice:
        """Nobody wants anything."""
        return Notice.NONE

    def latest_checkpoint(self) -> Path | None:
        """There is none."""
        return None


class LocalContext(SingleWorker):
    """A run in this process alone, for tests, notebooks and benchmarks.

    Args:
        folder: where checkpoints go, as `folder/checkpoint-<cur_nimg>`; the last two are kept.
        on_progress: called with every progress record.
        device: where to train; CUDA if there is one by default.
    """

    def __init__(
        self,
        folder: Path,
        on_progress: Callable[[Progress], None] | None = None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(device or torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        self.folder = folder
        self.on_progress = on_progress

    def report(self, progress: Progress) -> None:
        """Call `on_progress`."""
        if self.on_progress:
            self.on_progress(progress)

    def warn(self, sentence: str) -> None:
        """Warn as Python does."""
        warnings.warn(sentence, stacklevel=2)

    def save_checkpoint(self, cur_nimg: int, snapshot: Snapshot) -> None:
        """Write under a temporary name, rename, then drop all but the last two."""
        write_checkpoint_folder(self.folder, cur_nimg, snapshot())

    def latest_checkpoint(self) -> Path | None:
        """Return the newest folder whose hash list holds; a newer one is said to be broken."""
        found = sorted(self.folder.glob("checkpoint-*"), reverse=True)
        return newest_complete(found, self.warn)
