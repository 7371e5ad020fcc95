"""How the workers of a training speak with each other: interface, time-out and threads, in one place."""

import os
import socket
from typing import TYPE_CHECKING

from tasks.runtime.settings import THREADS_WAIT

if TYPE_CHECKING:
    from ray.train.torch import TorchConfig

COLLECTIVE_SECONDS = 300
"""After which a worker no longer waits for one that says nothing; Ray Train then starts all of them again."""
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


def torch_config() -> "TorchConfig":
    """Return how Ray Train makes the process group: NCCL between GPUs, Gloo between processors."""
    from ray.train.torch import TorchConfig

    return TorchConfig(timeout_s=COLLECTIVE_SECONDS)


def worker_environment() -> dict[str, object]:
    """Return the runtime environment of every worker."""
    return {"env_vars": THREADS_WAIT, "worker_process_setup_hook": f"{__name__}.use_rays_interface"}


def use_rays_interface() -> None:
    """Have Gloo and NCCL use the interface that Ray uses on this node, unless the environment names one.

    They would take the one that the host's name leads to, which often is the loopback, and wait for each other there.
    """
    import ray

    name = interface_of(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]
    for variable in _INTERFACES:
        if name:
            os.environ.setdefault(variable, name)


def interface_of(address: str) -> str | None:
    """Return the name of the interface that has an address, or None."""
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    for name, addresses in psutil.net_if_addrs().items():
        if any(each.family in families and each.address.partition("%")[0] == address for each in addresses):
            return str(name)
    return None
