"""Ray that does not start, as on a machine that is too busy; and work in a thread that is waited for."""

import socket
import subprocess
import sys
import threading

import psutil
import pytest
import ray

from gan.errors import ServiceError
from tasks.runtime.guardian import is_running
from tasks.runtime.ray_cluster import STARTS, in_a_thread, ray_cluster
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


@pytest.mark.parametrize(
    "address", ["127.0.0.1:{port}", "[::1]:{port}", "no.such.host.invalid:{port}", "127.0.0.1:99999"]
)
def test_a_head_that_is_not_there_is_not_waited_for_by_ray(monkeypatch, address):
    monkeypatch.setattr(ray, "init", lambda **options: pytest.fail("Ray would wait for minutes"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = address.format(port=taken.getsockname()[1])
        with pytest.raises(ServiceError) as caught, ray_cluster(Settings(ray_address=address)):
            pass
    assert f"no Ray cluster answers at {address}" in str(caught.value)


@pytest.mark.parametrize("address", ["auto", "ray://127.0.0.1:1"])
def test_what_is_no_address_of_a_head_is_left_to_ray(monkeypatch, address):
    asked = []

    def init(**options):
        asked.append(options["address"])
        raise ConnectionError("nothing there")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ServiceError), ray_cluster(Settings(ray_address=address)):
        pass
    assert asked == [address]


def test_work_in_a_thread_gives_its_result_or_its_error():
    assert in_a_thread(threading.current_thread) is not threading.current_thread()
    with pytest.raises(ValueError, match="bug"):
        in_a_thread(lambda: int("bug"))
