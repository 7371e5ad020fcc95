"""What runs inside a Ray Train worker: the loop's context on Ray, and nothing of Prefect or MLflow."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from torch import Tensor

from gan.checkpoint import load_header
from gan.config import Config
from gan.context import Progress
from gan.errors import GanflowError
from gan.loop import train
from tasks.dataset import load_version
from tasks.validation import NOT_MEASURED


@dataclass(frozen=True)
class WorkerPayload:
    """All that a worker is told; plain values only.

    Attributes:
        config: the configuration tree as JSON.
        header: what every checkpoint of this run carries.
        data_dir: the dataset folder.
        cache_dir: where a node keeps decoded datasets.
        cpus: CPUs that this worker may use.
    """

    config: dict[str, Any]
    header: dict[str, Any]
    data_dir: str
    cache_dir: str
    cpus: int


class RayContext:
    """`gan.context.TrainContext` on Ray Train.

    Args:
        board: where rank 0 reports to.
        scratch: a folder of this worker's own, for checkpoints on their way.
        watched: whether each checkpoint is scored beside training, as `tasks.validation` does.
    """

    def __init__(self, board: Any, scratch: Path, *, watched: bool) -> None:
        import ray.train
        import ray.train.torch

        here = ray.train.get_context()
        self.rank = here.get_world_rank()
        self.world_size = here.get_world_size()
        self.device = ray.train.torch.get_device()
        self.board = board
        self.scratch = scratch
        self.watched = watched

    def all_reduce(self, tensor: Tensor) -> None:
        """Sum over ranks, in place."""
        if self.world_size > 1:
            torch.distributed.all_reduce(tensor)

    def report(self, progress: Progress) -> None:
        """Send a record to the driver without waiting for it; rank 0 alone does."""
        if self.rank == 0:
            self.board.put.remote(asdict(progress))

    def warn(self, sentence: str) -> None:
        """Tell the driver, from rank 0."""
        if self.rank == 0:
            self.board.put.remote({"warning": sentence})

    def save_checkpoint(self, cur_nimg: int, write: Callable[[Path], None]) -> None:
        """Let rank 0 write a checkpoint and hand it to Ray Train, which waits for all ranks here."""
        import ray.train

        # Ray Train keeps those of lowest KID: one that has none, or none yet, comes behind all others
        metrics = {"cur_nimg": cur_nimg, "kid": NOT_MEASURED}
        if self.rank != 0:
            ray.train.report(metrics)
            return
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            write(Path(folder))
            ray.train.report(
                metrics,
                checkpoint=ray.train.Checkpoint.from_directory(folder),
                validation=self.watched and ray.train.ValidationTaskConfig(fn_kwargs={"cur_nimg": cur_nimg}),
            )

    def latest_checkpoint(self) -> Path | None:
        """The checkpoint from which Ray Train restarts this worker.

        Raises:
            CheckpointError: it is not whole; starting over in silence would throw the run's work away.
        """
        import ray.train

        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return None
        folder = Path(checkpoint.to_directory(str(self.scratch / f"restore-{self.rank}")))
        load_header(folder)
        return folder


def train_worker(arguments: dict[str, Any]) -> None:
    """Train on this worker; `arguments` holds a `payload` and the `board`.

    An error that would come again on every try is put on the board and ends the worker quietly: Ray retries only
    what it sees fail.
    """
    payload = WorkerPayload(**arguments["payload"])
    torch.set_num_threads(payload.cpus)  # Ray starts workers with one OpenMP thread
    config = Config.model_validate(payload.config)
    with tempfile.TemporaryDirectory() as scratch:
        context = RayContext(arguments["board"], Path(scratch), watched=config.evaluation.watch_images > 0)
        try:
            data = load_version(Path(payload.data_dir), Path(payload.cache_dir), payload.header["dataset_md5"])
            train(config, np.asarray(data.images), data.labels, context, payload.header)
        except GanflowError as error:
            ray.get(context.board.put.remote({"error": str(error), "kind": type(error).__name__}))
