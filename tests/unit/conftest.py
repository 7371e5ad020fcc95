"""Unit tests compute on one thread: on networks of a few hundred weights a second one only waits."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)
