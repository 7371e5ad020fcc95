"""How many workers a training has, and what each gets of a cluster."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gan.errors import InputError, ResourcesError

_WRITTEN = re.compile(r"([1-9]\d{0,4})(?::([1-9]\d{0,4}))?")


@dataclass(frozen=True)
class WorkerRange:
    """From how many to how many workers a training may have: the batch is shared out over those that there are.

    Attributes:
        fewest: with fewer it waits.
        most: more are not taken.
        cpus: that each has at most; None: all that there are for it.
    """

    fewest: int
    most: int
    cpus: int | None = None

    @classmethod
    def parse(cls, written: int | str) -> "WorkerRange":
        """Read `4`, or `2:4` for an elastic number.

        Raises:
            InputError: it is neither, or the second number is lower than the first.
        """
        found = _WRITTEN.fullmatch(str(written))
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise InputError(f"the number of workers is {written!r}: give 1 or more, as in 4, or a range, as in 2:4")
        return cls(int(found[1]), int(found[2] or found[1]))

    @property
    def is_elastic(self) -> bool:
        """Whether workers may go and come while it trains."""
        return self.fewest < self.most

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.fewest}:{self.most}" if self.is_elastic else str(self.most)


def elastic_resources(nodes: Sequence[Mapping[str, float]], workers: WorkerRange) -> dict[str, int]:
    """What each worker can have where as many as there is room for now are started, as `worker_resources`.

    Raises:
        ResourcesError: there is no room for the fewest.
    """
    for count in range(workers.most, workers.fewest, -1):
        try:
            return _held_to(workers.cpus, worker_resources(nodes, count))
        except ResourcesError:
            continue
    return _held_to(workers.cpus, worker_resources(nodes, workers.fewest))


def _held_to(cpus: int | None, share: dict[str, int]) -> dict[str, int]:
    return share if cpus is None else share | {"CPU": min(cpus, share["CPU"])}


def room_for(nodes: Sequence[Mapping[str, float]], share: Mapping[str, int]) -> int:
    """Count the workers that nodes have room for, each with a share from `worker_resources`."""
    return sum(min(int(node.get(kind, 0)) // wanted for kind, wanted in share.items() if wanted) for node in nodes)


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
