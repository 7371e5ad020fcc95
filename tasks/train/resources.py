"""What each worker of a training gets of a cluster."""

from collections.abc import Mapping, Sequence

from gan.errors import ResourcesError


def worker_resources(nodes: Sequence[Mapping[str, float]], workers: int) -> dict[str, int]:
    """The most CPUs that each of `workers` can have, and a GPU each where there are any.

    Args:
        nodes: resources of each node, as in {"CPU": 4.0, "GPU": 1.0}; a worker lives on one of them.
        workers: how many workers, 1 or more.

    Raises:
        ResourcesError: there are fewer CPUs, or some but fewer GPUs, than workers.
    """
    have = [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes]
    cpus, gpus = (sum(column) for column in zip(*have, strict=True))
    for name, count in (("CPUs", cpus), ("GPUs", gpus)):
        if count < workers and (count or name == "CPUs"):
            raise ResourcesError(
                f"{workers} workers were asked for but the Ray cluster has {count} {name}: lower --workers or add nodes"
            )
    for each in range(cpus // workers, 0, -1):
        if sum(min(cpu // each, gpu) if gpus else cpu // each for cpu, gpu in have) >= workers:
            return {"CPU": each, "GPU": 1 if gpus else 0}
    raise ResourcesError(
        f"{workers} workers were asked for but no node of the Ray cluster has a CPU beside each GPU: lower --workers"
    )
