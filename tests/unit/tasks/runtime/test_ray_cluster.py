"""Ray that was started ahead, a head that is not there, and work in a thread that is waited for."""

import socket
import threading

import pytest
import ray

from gan.errors import ServiceError
from tasks.runtime.ray_cluster import in_a_thread, ray_cluster, start_ray_ahead
from tasks.runtime.settings import Settings

HERE = Settings(ray_address=None)


@pytest.fixture
def rays(monkeypatch):
    """A Ray of no processes: what was asked of it."""
    done, runs = [], []
    monkeypatch.setattr(ray, "init", lambda **options: (done.append("started"), runs.append(1)))
    monkeypatch.setattr(ray, "shutdown", lambda: (done.append("stopped"), runs.clear()))
    monkeypatch.setattr(ray, "is_initialized", lambda: bool(runs))
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}])
    return done


def test_a_ray_that_was_started_ahead_is_taken_over_by_the_first_and_stopped_by_it(rays):
    start_ray_ahead(HERE)
    assert rays == ["started"]
    with ray_cluster(HERE) as nodes:
        assert nodes == [{"CPU": 2.0}]
        with ray_cluster(HERE):
            pass
        assert rays == ["started"]
    assert rays == ["started", "stopped"]
    with ray_cluster(HERE):
        pass
    assert rays == ["started", "stopped"] * 2


def test_a_cluster_is_not_connected_to_ahead(rays):
    start_ray_ahead(Settings(ray_address="10.0.0.1:6379"))
    assert rays == []


def test_one_that_does_not_start_ahead_is_left_to_the_next(rays, monkeypatch):
    monkeypatch.setattr("tasks.runtime.ray_here.STARTS", 1)
    monkeypatch.setattr(ray, "init", lambda **options: {}["too busy"])
    start_ray_ahead(HERE)
    with pytest.raises(ServiceError, match="did not start on this machine in 1 tries"), ray_cluster(HERE):
        pass


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
