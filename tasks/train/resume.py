"""Going on with a training that did not come to its end: which one that is, and that it fits."""

from contextlib import suppress
from dataclasses import dataclass

from gan.errors import CheckpointError, InputError
from gan.text.credentials import bare_address
from gan.training.header import Header, HeaderError, first_difference
from tasks.runtime.settings import Settings
from tasks.tracking.runs import is_finished, run_tags, unfinished_trainings
from tasks.train.lease import NEW_RUN, training_lease
from tasks.train.run_storage import RunStorage


@dataclass(frozen=True)
class Unfinished:
    """A training that can go on.

    Attributes:
        run_id: its MLflow run, and its name in the storage.
        header: of its newest checkpoint.
    """

    run_id: str
    header: Header

    @property
    def cur_nimg(self) -> int:
        """Images that its newest checkpoint has seen."""
        return self.header.cur_nimg


def newest_unfinished(settings: Settings, header: Header) -> Unfinished | None:
    """Find the newest run of this very recipe and dataset that has a checkpoint, and that nobody trains."""
    for run_id in unfinished_trainings(settings, header.training_hash, header.dataset_md5):
        with suppress(InputError):
            found = _with_checkpoint(settings, run_id)
            if first_difference(found.header.shaping(), header.shaping()) is None:
                return found
    return None


def find_unfinished(settings: Settings, run_id: str) -> Unfinished:
    """Look up the run that a person names.

    Raises:
        InputError: there is no such run, it is no training, it is finished, another process trains it, or it has no
            checkpoints left.
    """
    if "training_hash" not in run_tags(settings, run_id):
        raise InputError(
            f"run {run_id} is no training that can go on: give the id that `ganflow train` made, {NEW_RUN}"
        )
    require_unfinished(settings, run_id)
    return _with_checkpoint(settings, run_id)


def require_unfinished(settings: Settings, run_id: str) -> None:
    """Refuse a run that came to its end.

    Raises:
        InputError: it did.
    """
    if is_finished(settings, run_id):
        raise InputError(f"run {run_id} is finished: register it with `ganflow register {run_id}`, {NEW_RUN}")


def require_same_run(found: Unfinished, header: Header) -> None:
    """Refuse to go on with a run under other settings, or on other data.

    Raises:
        InputError: the first key that differs, with both values.
    """
    if difference := first_difference(found.header.shaping(), header.shaping()):
        key, there, here = difference
        remedy = (
            f"get that dataset back with `ganflow dataset checkout {there}`"
            if key == "dataset_md5"
            else "repeat the options that it began with"
        )
        raise InputError(
            f"run {found.run_id} cannot be resumed: its {key} is {there} but would now be {here}: {remedy}, {NEW_RUN}"
        )


def _with_checkpoint(settings: Settings, run_id: str) -> Unfinished:
    with training_lease(settings, run_id):
        storage = RunStorage(settings.storage, run_id)
        for name in storage.checkpoints():
            try:
                header = storage.header(name)
            except (OSError, HeaderError):  # cut short: the worker, too, takes the one before
                continue
            except CheckpointError as error:
                raise InputError(f"run {run_id} cannot be resumed: {error}") from None
            if storage.is_whole(name):
                return Unfinished(run_id, header)
    raise InputError(
        f"run {run_id} has no checkpoints left in {bare_address(settings.storage)}: name another, {NEW_RUN}"
    )
