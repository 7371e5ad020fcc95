"""The checkpoint that a training ends with: the best that is whole."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gan.errors import BudgetSpentError, CheckpointError, ServiceError
from gan.training.checkpoint import is_complete, load_header
from gan.training.header import HeaderError
from tasks.runtime.patience import patiently
from tasks.train.run_storage import RunStorage

if TYPE_CHECKING:
    from ray.train import Result


@dataclass(frozen=True)
class TrainingResult:
    """What a finished training leaves.

    Attributes:
        checkpoint: local folder of the best checkpoint by KID where that was measured, else of the last.
        cur_nimg: images that it has seen.
        end_nimg: images that the run has seen.
        kid: of the checkpoint; None where it was not measured.
    """

    checkpoint: Path
    cur_nimg: int
    end_nimg: int
    kid: float | None


def require_end(storage: RunStorage, end_nimg: int, *, asked: bool = False) -> None:
    """Refuse a training that left before its end, which Ray Train takes for one that is finished.

    Args:
        storage: of the run.
        end_nimg: images in the whole run.
        asked: whether it was asked to leave, because its time was over.

    Raises:
        ServiceError: its newest checkpoint has seen fewer images than `end_nimg`.
        BudgetSpentError: so it has, and it was asked to leave.
        OSError: the storage does not say.
    """
    reached = next(_reached(storage), end_nimg)  # without any, fetching the best says so
    if reached >= end_nimg:
        return
    where = f"{reached:,} of {end_nimg:,} images"
    if asked:
        raise BudgetSpentError(
            f"the time is over at {where} of run {storage.run}: the same training, asked for again, goes on from there",
            *(storage.run, reached, end_nimg),
        )
    raise ServiceError(f"the workers of run {storage.run} left at {where}: training it again goes on from there")


def _reached(storage: RunStorage) -> Iterator[int]:
    """Images that each checkpoint has seen, the newest first; a damaged one is passed over."""
    for name in storage.checkpoints():
        with suppress(FileNotFoundError, HeaderError):
            yield storage.header(name).cur_nimg


def fetch_best(
    result: "Result", storage: RunStorage, destination: Path, end_nimg: int, on_warning: Callable[[str], None]
) -> TrainingResult:
    """Fetch the best checkpoint that is whole, which is the last where none has a score.

    Raises:
        CheckpointError: none is whole.
    """
    from tasks.train.validator import NOT_MEASURED

    kids = {Path(checkpoint.path).name: metrics["kid"] for checkpoint, metrics in result.best_checkpoints or []}
    ranked = sorted(storage.checkpoints(), key=lambda name: kids.get(name, NOT_MEASURED))  # stable: the newest first
    for name in ranked:
        if is_complete(patiently(partial(storage.fetch, name, destination), f"fetching {name}", on_warning)):
            kid = kids.get(name, NOT_MEASURED)
            return TrainingResult(
                checkpoint=destination,
                cur_nimg=load_header(destination).cur_nimg,
                end_nimg=end_nimg,
                kid=kid if kid < NOT_MEASURED else None,
            )
        shutil.rmtree(destination)
        on_warning(f"{name} is cut short or altered: the next best checkpoint is taken")
    raise CheckpointError(f"run {storage.run} left no complete checkpoint in its storage: train again")
