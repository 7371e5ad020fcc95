"""The interface by which workers speak."""

import os
import subprocess
import sys

import pytest

from tasks.train.process_group import interface_of, worker_environment


def test_an_interface_is_known_by_its_address():
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("192.0.2.1") is None


@pytest.mark.parametrize(("given", "wanted"), [({}, "lo"), ({"GLOO_SOCKET_IFNAME": "eth7"}, "eth7")])
def test_a_worker_takes_rays_interface_unless_one_is_named(given, wanted):
    module, _, name = worker_environment()["worker_process_setup_hook"].rpartition(".")
    program = f"""
import os, ray.util
ray.util.get_node_ip_address = lambda: "127.0.0.1"
from {module} import {name}
{name}()
print(os.environ["GLOO_SOCKET_IFNAME"], os.environ["NCCL_SOCKET_IFNAME"])
"""
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_SOCKET_IFNAME")} | given
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert found.stdout.split() == [wanted, "lo"]
