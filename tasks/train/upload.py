"""Checkpoints on their way to the storage while training goes on, one at a time."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gan.training.checkpoint import Snapshot, Write
from tasks.runtime.patience import patiently
from tasks.train.run_storage import RunStorage

if TYPE_CHECKING:
    from ray.train import Checkpoint

TRIES = 7  # 2 + 4 + ... + 64 seconds between them: a storage may be away for two minutes


class Uploads:
    """Hands checkpoints to Ray Train, which has each written to the storage on a thread of its own.

    Args:
        storage: of the run.
        scratch: a folder of this worker's own.
        on_warning: called with a sentence where the storage did not take a checkpoint and is tried again.
    """

    def __init__(self, storage: RunStorage, scratch: Path, on_warning: Callable[[str], None]) -> None:
        self.storage = storage
        self.scratch = scratch
        self.on_warning = on_warning
        self._free = threading.Event()
        self._free.set()

    def send(self, snapshot: Snapshot, metrics: dict[str, float], cur_nimg: int, *, watched: bool) -> None:
        """Copy the state and return; the one before is waited for, so that there is never more than one copy.

        Args:
            snapshot: of the state.
            metrics: that Ray Train keeps with it.
            cur_nimg: images that it has seen.
            watched: whether it is scored beside training.
        """
        import ray.train

        self.wait()
        write = snapshot()
        self._free.clear()
        try:
            ray.train.report(
                metrics,
                checkpoint=ray.train.Checkpoint.from_directory(self.scratch),  # there shall be one: it is not read
                checkpoint_upload_mode=ray.train.CheckpointUploadMode.ASYNC,
                delete_local_checkpoint_after_upload=False,
                checkpoint_upload_fn=lambda _, name: self._store(write, name),
                validation=watched and ray.train.ValidationTaskConfig(fn_kwargs={"cur_nimg": cur_nimg}),
            )
        except BaseException:
            self._free.set()
            raise

    def wait(self) -> None:
        """Return when nothing is on its way."""
        self._free.wait()

    def _store(self, write: Write, name: str) -> "Checkpoint":
        import ray.train

        try:
            patiently(
                lambda: self.storage.put_checkpoint(name, write, self.scratch),
                "storing a checkpoint",
                self.on_warning,
                tries=TRIES,
            )
        finally:
            self._free.set()
        known = ray.train.get_context().get_storage()
        return ray.train.Checkpoint(known.build_checkpoint_path_from_name(name), known.storage_filesystem)
