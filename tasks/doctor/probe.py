"""What is asked of a machine, by a program that needs nothing there but Python.

Ray is given this module by its text rather than by its name, so that a node without ganflow can say that it has none.
So it imports nothing of ours but in the functions that ask for it, and nothing large before it is used.
"""

import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

PACKAGES = ("ganflow", "torch", "ray")
GPU_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
GLOO_SECONDS = 60
"""That a process group waits for a node, and an all_reduce for its peers."""


class Probe:
    """Asked on a node by the driver, as an actor; or here, as it is."""

    def facts(self, cache: str | None = None) -> dict[str, Any]:
        """What this machine is: plain values, None where one cannot be had.

        Args:
            cache: folder whose disk counts; None: what `Settings.node_cache_dir` would be here.
        """
        caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        folder = Path(cache or os.environ.get("GANFLOW_CACHE") or f"{caches}/ganflow").expanduser()
        return {
            "host": socket.gethostname(),
            "python": platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
            "code": code_digest(),
            "lacks": _lacks(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "niceness": os.nice(0),
            "bf16": _bf16(),
            "memory_bytes": free_memory(Path("/proc/meminfo"), Path("/sys/fs/cgroup")),
            "disks": {str(each): _free_disk(each) for each in (folder, Path(tempfile.gettempdir()))},
            "gpus": _gpus(),
            "torch_cuda": _torch_cuda(),
        }

    def clock(self) -> float:
        """This machine's time, in seconds."""
        return time.time()

    def use_storage(self, storage: str, folder: str, expected: dict[str, str], name: str, text: str) -> str | None:
        """Read files of a folder of the storage and write one; returns what went wrong.

        Args:
            storage: a path or URL.
            folder: in it; made where it is not there.
            expected: texts of the files that should be there.
            name: of the file to write.
            text: of it.
        """
        try:
            files, root = _open_storage(storage, folder)
            for other, content in expected.items():
                with files.open_input_stream(f"{root}/{other}") as file:
                    if file.read().decode() != content:
                        return f"{other} holds something else here"
            files.create_dir(root)
            with files.open_output_stream(f"{root}/{name}") as file:
                file.write(text.encode())
        except Exception as error:  # each sort of storage has errors of its own
            return str(error) or type(error).__name__
        return None

    def drop_storage(self, storage: str, folder: str) -> None:
        """Remove a folder of the storage, with all that is in it."""
        files, root = _open_storage(storage, folder)
        files.delete_dir(root)

    def address(self) -> tuple[str, int]:
        """The address by which Ray knows this node, and a port that is free there."""
        import ray

        host = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            return host, probe.getsockname()[1]

    def join(self, host: str, port: int, rank: int, size: int) -> None:
        """Become one of a process group whose first listens at an address."""
        from datetime import timedelta

        import ray
        import torch.distributed

        os.environ["GLOO_SOCKET_IFNAME"] = _interface(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        torch.distributed.init_process_group(
            "gloo",
            init_method=f"tcp://{place}",
            rank=rank,
            world_size=size,
            timeout=timedelta(seconds=GLOO_SECONDS),
        )

    def all_reduce(self, count: int, times: int) -> float:
        """Seconds that a sum of `count` numbers in float32 over the group takes, the shortest of several."""
        import torch

        numbers = torch.zeros(count)
        taken = []
        for _ in range(times):
            torch.distributed.barrier()
            start = time.perf_counter()
            torch.distributed.all_reduce(numbers)
            taken.append(time.perf_counter() - start)
        return min(taken)


def code_digest() -> str | None:
    """Eight digits of the hash of the code of `gan` and `tasks`; None where they are not installed.

    Between two releases the version says nothing of what an installation from a working copy runs.
    """
    digest = hashlib.sha256()
    for package in ("gan", "tasks"):
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None or not found.submodule_search_locations:  # an empty folder has none
            return None
        root = Path(found.submodule_search_locations[0])
        for file in sorted(root.rglob("*.py")):
            digest.update(f"{package}/{file.relative_to(root)}".encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def _lacks() -> str | None:
    """Name the module for whose lack a worker could not start here; None: there is all that it needs, or no ganflow."""
    try:
        importlib.import_module("tasks.train.worker")
    except ImportError as error:
        return error.name if importlib.util.find_spec("tasks") else None
    return None


def free_memory(meminfo: Path, cgroup: Path) -> int | None:
    """Bytes that are free: what the kernel has to give, or less where a container holds the process to less."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        (line,) = (line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:"))
        found.append(int(line.split()[1]) * 1024)
    with contextlib.suppress(OSError, ValueError):  # «max»: no limit
        found.append(int((cgroup / "memory.max").read_text()) - int((cgroup / "memory.current").read_text()))
    return max(0, min(found)) if found else None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _bf16() -> bool | None:
    try:
        import torch

        from gan.device.precision import native_bf16
    except ImportError:
        return None
    return native_bf16(torch.device("cpu"))


def _torch_cuda() -> str | None:
    """The CUDA version that PyTorch was built for; None: for none."""
    try:
        import torch
    except ImportError:
        return None
    return torch.version.cuda


def _free_disk(folder: Path) -> int | None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _gpus() -> list[str]:
    """A line for each GPU that the driver knows: its name, the driver's version, its memory."""
    try:
        done = subprocess.run(GPU_QUERY, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _open_storage(storage: str, folder: str) -> tuple[Any, str]:
    from pyarrow.fs import FileSystem

    files, root = FileSystem.from_uri(storage)  # a URL may end with a query, so the folder comes behind its path
    return files, f"{root.rstrip('/')}/{folder}"


def _interface(address: str) -> str:
    """The network interface that has an address, for Gloo, which would take loopback."""
    import psutil

    for name, addresses in psutil.net_if_addrs().items():
        if any(each.address.partition("%")[0] == address for each in addresses):
            return str(name)
    raise LookupError(f"no network interface has the address {address}, by which Ray knows this node")
