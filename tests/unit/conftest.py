"""Unit tests compute on one thread: on networks of a few hundred weights a second one only waits. None has a clock."""

import pytest
import torch
from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)
