"""What runs inside a Ray Train worker: the loop's context on Ray, and nothing of Prefect or MLflow."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from gan.configuration.config import Config
from gan.data.store.resident import Resident
from gan.device.allocator import keep_freed_memory
from gan.training.all_reduce import SumsOverRanks
from gan.training.checkpoint import Snapshot, newest_complete
from gan.training.context import Notice, Progress
from gan.training.header import Header
from gan.training.loop import run_training
from tasks.dataset.current import load_version
from tasks.dataset.on_node import node_version
from tasks.runtime.ray_cluster import this_node
from tasks.runtime.scratch import local_scratch
from tasks.train.run_storage import WARM_START, RunStorage
from tasks.train.upload import Uploads
from tasks.train.validator import NOT_MEASURED
from tasks.train.worker_log import WorkerLog, own_output

TELL_SECONDS = 10.0
LISTEN_SECONDS = 0.5
"""Between two looks of a worker that is alone, and looks after every step: Ray Train asks another process each time."""


@dataclass(frozen=True)
class WorkerPayload:
    """All that a worker is told; plain values only, so that Ray's own processes need none of our modules to read it.

    Attributes:
        header: what every checkpoint of this run carries, as `Header.to_json` writes it; the configuration is in it.
        data_dir: the dataset folder; None on a cluster, whose nodes have the dataset from the storage.
        cache_dir: where decoded datasets are; None on a cluster, where each node has a cache of its own.
        storage: where checkpoints are kept.
        cpus: CPUs that this worker may use.
        feed_memory: bytes of training images that it may hold; None: what leaves room for the rest.
    """

    header: str
    data_dir: str | None
    cache_dir: str | None
    storage: str
    cpus: int
    feed_memory: int | None = None


class RayContext(SumsOverRanks):
    """`gan.training.context.TrainContext` on Ray Train.

    Args:
        channel: where rank 0 reports to.
        storage: where checkpoints are kept.
        scratch: a folder of this worker's own, for checkpoints on their way; see `wait`.
        watched: whether each checkpoint is scored beside training, as `tasks.train.validator` does.
    """

    def __init__(self, channel: Any, storage: str, scratch: Path, *, watched: bool) -> None:
        import ray.train
        import ray.train.torch

        here = ray.train.get_context()
        self.storage = RunStorage(storage, here.get_experiment_name())
        self.rank = here.get_world_rank()
        self.world_size = here.get_world_size()
        self.device = ray.train.torch.get_device()
        self.channel = channel
        self.scratch = scratch
        self.watched = watched
        self.shares_cores = watched and self.device.type == "cpu"
        self._uploads = Uploads(self.storage, scratch, self.warn)
        self._noticed: Any = None
        self._asked: Any = None  # what answers when the training is to leave
        self._listened_at = 0.0

    def report(self, progress: Progress) -> None:
        """Send a record to the driver without waiting for it; rank 0 alone does."""
        if self.rank == 0:
            self.channel.put.remote(asdict(progress))

    def warn(self, sentence: str) -> None:
        """Tell the driver, from rank 0."""
        if self.rank == 0:
            self.channel.put.remote({"warning": sentence})

    def tell_output(self, *, failed: bool) -> None:
        """Send what this worker wrote to the driver, which is waited for: the process may end after this."""
        import ray

        with suppress(Exception):  # it shall not stand in the way of what failed
            log = WorkerLog(self.rank, own_output(), failed)
            ray.get(self.channel.put.remote(asdict(log)), timeout=TELL_SECONDS)

    def save_checkpoint(self, cur_nimg: int, snapshot: Snapshot) -> None:
        """Let rank 0 copy the state, which is stored while training goes on; Ray Train waits for all ranks here."""
        import ray.train

        # Ray Train keeps those of lowest KID: one that has none, or none yet, comes behind all others
        metrics = {"cur_nimg": cur_nimg, "kid": NOT_MEASURED}
        if self.rank == 0:
            self._uploads.send(snapshot, metrics, cur_nimg, watched=self.watched)
        else:
            ray.train.report(metrics)

    def notice(self) -> Notice:
        """Whether a worker's node is to be taken away, or the driver is being stopped; ranks hear of it by and by."""
        now = time.monotonic()
        if self.world_size == 1 and now - self._listened_at < LISTEN_SECONDS:
            return Notice.NONE
        self._listened_at = now
        taken, asked = self._node_is_taken(), self._is_asked_to_leave()
        if self.world_size > 1:
            heard = torch.tensor([taken, asked], dtype=torch.float32, device=self.device)
            self.all_reduce(heard)
            taken, asked = heard.bool().tolist()
        return Notice.LEAVE if asked else Notice.SAVE if taken else Notice.NONE

    def _is_asked_to_leave(self) -> bool:
        """Ask the channel, from rank 0; one that cannot be asked asks for nothing."""
        import ray
        from ray.exceptions import RayError

        if self.rank > 0:
            return False
        if self._asked is None:
            self._asked = self.channel.asked_to_leave.remote()
        if not ray.wait([self._asked], timeout=0)[0]:
            return False
        try:
            ray.get(self._asked)
        except RayError:
            self._asked = None  # at the next look it is asked anew
            return False
        return True

    def leave(self) -> None:
        """Tell the driver that the checkpoint is stored with which this training left."""
        if self.rank == 0:
            self.channel.leaves.remote()

    def _node_is_taken(self) -> bool:
        """Whether Ray has heard since the last call that a worker's node is to be taken away; it starts another."""
        import ray.train

        notice = ray.train.get_preemption_info()
        if notice is None or notice == self._noticed:
            return False
        self._noticed = notice
        self.warn(
            f"{len(notice.preempted_node_ids)} of the nodes that train are about to be taken away: a checkpoint is "
            "written now, from which training goes on where there is room"
        )
        return True

    def wait(self) -> None:
        """Return when no checkpoint is on its way; to be called before the scratch folder goes."""
        self._uploads.wait()

    def latest_checkpoint(self) -> Path | None:
        """The newest checkpoint of the run that is whole, the same on every rank; a newer one is said to be broken.

        Where none is whole although there were some, the newest is returned, which cannot be read: starting over in
        silence would throw the run's work away.
        """
        import ray.train.collective

        names, warnings = self._newest_first(), list[str]()
        chosen = None
        if self.rank == 0 and names:
            fetched = (self._fetched(name) for name in names)
            whole = newest_complete(fetched, warnings.append)
            chosen = whole.name if whole else names[0]
            for sentence in warnings if whole else ():
                self.warn(sentence)
        if self.world_size > 1:
            chosen = ray.train.collective.broadcast_from_rank_zero(chosen)
        return self._fetched(chosen) if chosen else None

    def start_from(self, header: Header) -> Path | None:
        """The checkpoint of another run that this one begins with, if its header names one and it has none yet."""
        if header.warm_start is None or self._newest_first():
            return None
        return self._fetched(WARM_START)

    def _newest_first(self) -> list[str]:
        """Names of checkpoints: the one that Ray Train heard of last, then what else the storage has."""
        import ray.train

        known, names = ray.train.get_checkpoint(), self.storage.checkpoints()
        if known is None:
            return names
        newest = Path(known.path).name
        return [newest, *(name for name in names if name != newest)]

    def _fetched(self, name: str) -> Path:
        folder = self.scratch / name
        return folder if folder.exists() else self.storage.fetch(name, folder)


def _dataset(payload: WorkerPayload, md5: str, context: RayContext) -> Resident:
    """Open the training images, on a cluster from the storage by way of this node's cache."""
    if payload.data_dir is not None and payload.cache_dir is not None:
        return load_version(Path(payload.data_dir), Path(payload.cache_dir), md5)
    found = node_version(payload.storage, md5, "train", host=this_node(), on_warning=context.warn)
    if context.world_size > 1:
        import ray.train.collective

        # However long a node takes, this waits; all_reduce, and so the training, would not.
        ray.train.collective.barrier()
    return found


@contextmanager
def _telling(context: RayContext) -> Iterator[None]:
    """Hand on what the first worker wrote when the block is left, and others where they fail."""
    failed = False
    try:
        yield
    except BaseException:
        failed = True
        raise
    finally:
        context.wait()
        if failed or context.rank == 0:
            context.tell_output(failed=failed)


def train_worker(arguments: dict[str, Any]) -> None:
    """Train on this worker; `arguments` holds a `payload` and the `channel`.

    Raises:
        GanflowError: what would come again on every try, for which `EndWhatWouldFailAgain` ends the other workers too.
    """
    import ray.train

    payload = WorkerPayload(**arguments["payload"])
    torch.set_num_threads(payload.cpus)  # Ray starts workers with one OpenMP thread
    header = Header.parse(payload.header, "this training")
    config = Config.model_validate(header.config)
    with local_scratch("training") as scratch:
        watched = config.evaluation.watch_images > 0
        context = RayContext(arguments["channel"], payload.storage, scratch, watched=watched)
        if context.device.type == "cpu":
            keep_freed_memory()
        with _telling(context):
            data = _dataset(payload, header.dataset_md5, context)
            start_from = context.start_from(header)
            state = run_training(
                config,
                data.images,
                data.labels,
                context,
                header,
                start_from,
                feed_memory=payload.feed_memory,
                workers_here=ray.train.get_context().get_local_world_size(),
            )
        if not state.finished:
            context.leave()
