"""How tests are shared out among processes, as by `pytest -n 2`."""

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tasks.settings import THREADS_SLEEP

if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes
    os.environ.update(THREADS_SLEEP)


class FilesAndFlows(LoadScopeScheduling):
    """A file's tests stay in one process, and all whole flows in one: they share the home that the first one made."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "e2e" if file.startswith("tests/e2e/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndFlows:
    """Share out in the order of collection: whole flows, which take longest, come first."""
    config.option.loadscopereorder = False
    return FilesAndFlows(config, log)
