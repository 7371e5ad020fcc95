"""Ray of one machine: reached from this machine alone, and by nobody without its token."""

import ipaddress
import os
import subprocess
import sys

import psutil
import pytest
import ray

from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration
ASK = """
import sys
from gan.errors import InputError
from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.settings import Settings
try:
    with ray_cluster(Settings(ray_address=sys.argv[1])):
        print("let in")
except InputError as error:
    print(error)
"""
CONNECT = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False)
print("let in")
"""


@ray.remote
def pid():
    return os.getpid()


def listeners():
    us = psutil.Process()
    pids = {us.pid, *(child.pid for child in us.children(recursive=True))}
    found = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN and each.pid in pids]
    return [ipaddress.ip_address(each.laddr.ip.removeprefix("::ffff:")) for each in found]


def test_ray_listens_on_loopback_and_asks_for_its_token(tmp_path):
    before = dict(os.environ)
    with ray_cluster(Settings(ray_address=None)):
        assert ray.get(pid.remote()) != os.getpid()
        assert not any("monitor.py" in part for child in psutil.Process().children(True) for part in child.cmdline())
        found = listeners()
        assert len(found) >= 4
        assert all(address.is_loopback for address in found)
        stranger = {**os.environ, "HOME": str(tmp_path), "RAY_AUTH_TOKEN": "0" * 64}
        command = [sys.executable, "-c", CONNECT, ray.get_runtime_context().gcs_address]
        with subprocess.Popen(
            command, env=stranger, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as asking:
            assert asking.stdout
            said = next(line for line in asking.stdout if "let in" in line or "InvalidAuthToken" in line)
            asking.kill()  # it would ask for a minute
        assert "let in" not in said
        address = ray.get_runtime_context().gcs_address
        told = subprocess.run([sys.executable, "-c", ASK, address], env=stranger, capture_output=True, text=True)
        assert told.stdout.startswith(
            f"the Ray cluster at {address} asks for another token: export RAY_AUTH_MODE=token"
        )
    assert not (tmp_path / ".ray").exists()
    assert {name: os.environ.get(name) for name in before} == before
    assert "RAY_AUTH_TOKEN" not in os.environ or "RAY_AUTH_TOKEN" in before


@pytest.mark.slow
def test_a_second_one_in_this_process_starts_with_a_token_of_its_own():
    tokens = []
    for _ in range(2):
        with ray_cluster(Settings(ray_address=None)):
            assert ray.get(pid.remote()) != os.getpid()
            tokens.append(os.environ["RAY_AUTH_TOKEN"])
    assert len(set(tokens)) == 2


def test_signals_have_their_handlers_in_it_and_afterwards():
    """Ray puts handlers in place, and takes them away, below Python's."""
    program = """
import os, signal
from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.settings import Settings
came = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: came.append(int(number)))
def both():
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
with ray_cluster(Settings(ray_address=None)):
    both()
both()
print(came)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[2, 15, 2, 15]"
