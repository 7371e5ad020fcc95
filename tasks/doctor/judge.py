"""What is found, against what a training needs: pure functions."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.doctor.check import Check

GIB = 2**30
LEAST_DISK, ENOUGH_DISK = 1 * GIB, 10 * GIB
LEAST_MEMORY, ENOUGH_MEMORY = 1 * GIB, 4 * GIB
"""Below the first a training fails; below the second it may."""
CLOCK_SECONDS = 5.0
"""That clocks may differ before somebody should look: leases are renewed and times compared by them."""
SLOW_BYTES_PER_SECOND = 100e6
"""A little less than what Ethernet of a gigabit carries."""


def versions(node: str, facts: Mapping[str, Any], driver: Mapping[str, Any], *, shipped: bool = False) -> Check:
    """Whether a node has the driver's ganflow, Python, PyTorch and Ray, and all that ganflow needs there.

    Args:
        node: which.
        facts: `Probe.facts` of it.
        driver: those of the driver.
        shipped: whether the driver gives it the code of ganflow, which need not be installed there.
    """
    shown = (
        f"ganflow {_or_none(facts['ganflow'])} ({facts['code'] or 'no code'}), Python {facts['python']}, "
        f"torch {_or_none(facts['torch'])}, Ray {_or_none(facts['ray'])}"
    )
    wanted = [
        f"{name} {driver[key]}"
        for name, key in (("ganflow", "ganflow"), ("torch", "torch"), ("ray", "ray"))
        if facts[key] != driver[key] and not (shipped and key == "ganflow")
    ]
    if _minor(facts["python"]) != _minor(driver["python"]):
        wanted.append(f"Python {_minor(driver['python'])}")
    if wanted:
        return Check("versions", node, False, shown, f"install {', '.join(wanted)} there, as the driver has")
    if facts["code"] != driver["code"]:
        return Check(
            "versions", node, False, shown, f"install the driver's code there, whose digest is {driver['code']}"
        )
    if facts["lacks"]:
        remedy = (
            f"install the Python package that has {facts['lacks']} there: installing ganflow brings all that it needs"
        )
        return Check("versions", node, False, f"{shown}, no {facts['lacks']}", remedy)
    return Check("versions", node, True, shown)


def clock(node: str, offset: float, bound: float) -> Check:
    """Whether a node's clock goes with the driver's.

    Args:
        node: which.
        offset: seconds that it is ahead.
        bound: seconds by which that may be wrong: half of the way there and back.
    """
    shown = f"{offset * 1000:+.0f} ms ± {bound * 1000:.0f} ms"
    wrong = abs(offset) - bound > CLOCK_SECONDS
    return Check("clock", node, True, shown, "synchronise it with the driver's (chrony, NTP)" if wrong else "")


def disks(node: str, facts: Mapping[str, Any]) -> list[Check]:
    """Whether there is room for decoded datasets, and for checkpoints on their way."""
    remedy = "free some space, or name a folder on a larger disk (GANFLOW_CACHE, TMPDIR)"
    return [
        _room("disk", node, free, LEAST_DISK, ENOUGH_DISK, remedy, f" for {folder}")
        for folder, free in facts["disks"].items()
    ]


def memory(node: str, facts: Mapping[str, Any]) -> Check:
    """Whether there is memory for networks beside all else."""
    remedy = "end other programs, or take a larger machine or container"
    return _room("memory", node, facts["memory_bytes"], LEAST_MEMORY, ENOUGH_MEMORY, remedy)


def processor(node: str, facts: Mapping[str, Any]) -> Check:
    """What computes where there is no GPU."""
    bf16 = {True: "bf16 by itself", False: "bf16 only emulated", None: "bf16 not known"}[facts["bf16"]]
    shown = f"{facts['cores']} cores of {facts['processor']}, {bf16}"
    if facts["niceness"] <= 0:
        return Check("processor", node, True, shown)
    remedy = "run it without nice, and export RAY_worker_niceness=0 before ray start: a layer waits for who gives way"
    return Check("processor", node, True, f"{shown}; its workers run at niceness {facts['niceness']}", remedy)


def gpus(node: str, facts: Mapping[str, Any], ray_gpus: float | None = None) -> Check:
    """Whether the GPUs of a node can be used.

    Args:
        node: which.
        facts: `Probe.facts`.
        ray_gpus: how many Ray gives out there; None: no Ray was asked.
    """
    found = facts["gpus"]
    if not found and not ray_gpus:
        return Check("GPUs", node, True, "none")
    shown = "; ".join(found) or "none that nvidia-smi knows"
    if ray_gpus is not None:
        shown = f"{shown}; Ray gives out {ray_gpus:g}"
    if facts["torch"] and not facts["torch_cuda"]:
        remedy = "install a build of PyTorch for CUDA there, or start its Ray with --num-gpus=0"
        return Check("GPUs", node, not ray_gpus, f"{shown}; PyTorch there is a build without CUDA", remedy)
    if ray_gpus and not found:
        return Check("GPUs", node, False, shown, "install the driver there, or start its Ray with --num-gpus=0")
    few = ray_gpus is not None and ray_gpus < len(found)
    return Check(
        "GPUs", node, True, shown, f"start its Ray with --num-gpus={len(found)} to use them all" if few else ""
    )


def storage(node: str, problem: str | None, place: str, *, named: bool, several: bool) -> Check:
    """Whether a node reads what the driver wrote, and writes itself.

    Args:
        node: which.
        problem: what went wrong.
        place: the storage, as it may be shown.
        named: whether GANFLOW_STORAGE names it.
        several: whether other machines have to reach it.
    """
    if problem is None:
        return Check("storage", node, True, f"{place} is read and written")
    if several and not named:
        remedy = "set GANFLOW_STORAGE to a path or s3:// URL that all nodes reach"
    else:
        remedy = "correct GANFLOW_STORAGE, mount it there, or let this user read and write it"
    return Check("storage", node, False, f"{place} cannot be used ({problem})", remedy)


def all_reduce(nodes: int, count: int, seconds: float, small_seconds: float) -> Check:
    """How fast gradients are summed over nodes.

    Args:
        nodes: in the ring.
        count: numbers in float32 that were summed.
        seconds: that this took.
        small_seconds: that the sum of one number took.
    """
    size = 4 * count
    rate = 2 * (nodes - 1) / nodes * size / seconds
    shown = (
        f"{size / 1e6:.0f} MB over {nodes} nodes in {seconds * 1000:.0f} ms, {rate / 1e6:.0f} MB/s of each; "
        f"one number in {small_seconds * 1000:.1f} ms"
    )
    slow = "slower than Ethernet of a gigabit: take a faster network, or fewer nodes (docs/cluster.md)"
    return Check("all_reduce", "cluster", True, shown, slow if rate < SLOW_BYTES_PER_SECOND else "")


def token(asks: bool | None) -> Check:
    """Whether the cluster lets in who has no token."""
    if asks is None:
        return Check("token", "cluster", None, "not known: the cluster did not answer who has none")
    if asks:
        return Check("token", "cluster", True, "asked for")
    remedy = (
        "start every node with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN: now whoever reaches it can run programs there"
    )
    return Check("token", "cluster", True, "not asked for", remedy)


def alive(addresses: Sequence[str], dead: int, cpus: float, gpus: float) -> Check:
    """Which nodes there are."""
    lost = f"; {dead} lost since its head was started" if dead else ""
    return Check("nodes", "cluster", True, f"{len(addresses)} with {cpus:g} CPUs and {gpus:g} GPUs{lost}")


def _room(name: str, node: str, free: int | None, least: int, enough: int, remedy: str, whom: str = "") -> Check:
    if free is None:
        return Check(name, node, None, f"not known{whom}")
    return Check(name, node, free >= least, f"{free / GIB:.1f} GiB free{whom}", remedy if free < enough else "")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _or_none(version: str | None) -> str:
    return version or "none"
