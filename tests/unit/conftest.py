"""Unit tests compute on one thread: on networks of a few hundred weights a second one only waits. None has a clock."""

import pytest
import torch
from hypothesis import settings

from gan.training.header import Header

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_header():
    """Make the header of a checkpoint with these fields."""

    def of(**fields):
        given = {"config": {}, "training_hash": "h", "dataset_md5": "d", "channels": 1, "num_classes": 2}
        return Header(**given | {"class_names": ("a", "b")} | fields)

    return of
