"""Which failures of workers end a training, and in which words."""

import errno
import pickle

import pytest
from ray.exceptions import ActorUnavailableError
from ray.train import ControllerError, WorkerGroupError
from ray.train.v2._internal.exceptions import UserExceptionWithTraceback, WorkerGroupStartupTimeoutError

from gan.errors import DatasetError, GanflowError, ResourcesError, ServiceError
from tasks.train.failures import EndWhatWouldFailAgain, training_error


def ends_by(*errors):
    """What the controller is told to end with, if a worker each raised these; None: it tries again."""
    raised = {rank: UserExceptionWithTraceback(error, "a traceback") for rank, error in enumerate(errors)}
    try:
        EndWhatWouldFailAgain("/storage", None).after_exception(None, pickle.loads(pickle.dumps(raised)))
    except GanflowError as error:
        return error
    return None


def test_an_explained_error_of_any_rank_ends_all():
    told = ends_by(RuntimeError("the other rank is gone"), DatasetError("no dataset: ingest one"))
    assert (type(told), str(told)) == (DatasetError, "no dataset: ingest one")


def test_a_full_disk_ends_all_and_says_what_stands():
    told = ends_by(OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(told, ResourcesError)
    assert str(told).startswith("the disk of /storage is full: free some space")
    assert str(told).endswith("its checkpoints stand, and training it again goes on from there")


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), ConnectionError("reset"), ServiceError("away: later")])
def test_what_may_be_the_weather_is_tried_again(error):
    assert ends_by(error) is None


def test_the_sentence_of_what_a_worker_explained_is_the_commands():
    told = DatasetError("no dataset: ingest one")
    assert training_error(ControllerError(ControllerError(told)), "run") is told


def test_the_last_failure_is_named_where_all_tries_were_used_up():
    failed = WorkerGroupError(
        "workers failed", {1: UserExceptionWithTraceback(ValueError("first\nlast"), "a traceback")}
    )
    assert str(training_error(failed, "run")) == (
        "training run failed after 3 restarts (last): its checkpoints stand, and training it again goes on from there"
    )


def test_a_cluster_without_room_is_named():
    told = training_error(ControllerError(WorkerGroupStartupTimeoutError(2)), "run")
    assert isinstance(told, ResourcesError)
    assert "found no room for its workers" in str(told)


def test_a_ray_that_is_lost_under_a_training_is_worth_another_try():
    lost = ControllerError(ActorUnavailableError("The actor is temporarily unavailable", None))
    told = training_error(lost, "run")
    assert isinstance(told, ServiceError)
    assert told.transient
    assert str(told).startswith("training run was cut off (")
    assert str(told).endswith("its checkpoints stand, and training it again goes on from there")


def test_a_controller_that_cannot_write_its_list_is_not_said_to_have_tried_again():
    told = training_error(ControllerError(OSError(errno.EROFS, "Failed to open local file 'list.json'")), "run")
    assert isinstance(told, ResourcesError)
    assert str(told).startswith("the disk of the storage is read-only: ")
    assert str(told).endswith("its checkpoints stand, and training it again goes on from there")
