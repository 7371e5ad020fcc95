"""Ray that does not start on this machine, as where it is too busy."""

import subprocess
import sys

import psutil
import pytest
import ray
from ray._private.node import Node

from gan.errors import ServiceError
from tasks.runtime.guardian import is_running
from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.ray_here import ONLOOKERS, STARTS, without_onlookers
from tasks.runtime.settings import Settings

HERE = Settings(ray_address=None)


def test_a_ray_that_never_starts_is_tried_again_said_and_cleared_away(monkeypatch):
    started, said = [], []

    def too_slow(**options):
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        started.append(subprocess.Popen(command, start_new_session=True))
        raise Exception("Ray is starting.\nThe current node timed out during startup.\n")  # as ray.init does

    monkeypatch.setattr(ray, "init", too_slow)
    with pytest.raises(ServiceError) as caught, ray_cluster(HERE, said.append):
        pass
    sentence = "Ray did not start on this machine"
    reason = "(The current node timed out during startup)"
    assert said == [f"{sentence} {reason}: it is tried again, {left} more times" for left in (2, 1)]
    assert str(caught.value) == f"{sentence} in {STARTS} tries {reason}: try again when it is less busy"
    assert len(started) == STARTS
    assert not any(is_running(psutil.Process(process.pid)) for process in started)
    for process in started:
        process.wait()


def test_rays_onlookers_are_left_out_only_of_a_ray_that_is_started_here():
    methods = {name: vars(Node)[name] for name in ONLOOKERS}  # that Ray still calls them so
    with without_onlookers():
        assert [getattr(Node, name)(None) for name in ONLOOKERS] == [None, None]
    assert {name: vars(Node)[name] for name in ONLOOKERS} == methods
