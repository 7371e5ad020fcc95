"""Ingesting on a Ray cluster: each part of a source is a Ray task, on whichever node has a core free."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gan.data.building.build import RunJobs
from gan.data.building.encode import Job, do
from gan.data.building.pool import Pool
from tasks.runtime.ray_cluster import as_sentence, ray_cluster
from tasks.runtime.settings import Settings

_AHEAD = 2  # tasks handed out for each core: enough to keep it busy, few enough to bound memory


@contextlib.contextmanager
def job_runner(settings: Settings) -> Iterator[RunJobs]:
    """Yield what reads parts: the cluster at RAY_ADDRESS or, without one, the cores of this machine.

    The nodes of a cluster must see the source at its path. Without a cluster, processes are used rather than a Ray of
    one machine: they start in a tenth of the time.
    """
    if settings.ray_address is not None:
        yield lambda jobs: _on_ray(settings, jobs)
        return
    with Pool() as pool:
        yield pool.run


def _on_ray(settings: Settings, jobs: Sequence[Job]) -> Iterator[tuple[int, bytes | None]]:
    with ray_cluster(settings) as nodes:
        import ray
        from ray.exceptions import RayError

        remote = ray.remote(num_cpus=1, max_retries=3)(do)
        most = _AHEAD * max(1, int(sum(node.get("CPU", 0) for node in nodes)))
        waiting = list(enumerate(jobs))[::-1]
        running: dict[object, int] = {}
        while waiting or running:
            while waiting and len(running) < most:
                number, job = waiting.pop()
                # Returned, for a node need not see this one's disk.
                running[remote.remote(replace(job, to=None))] = number
            (done, *_), _ = ray.wait(list(running))
            try:
                yield running.pop(done), ray.get(done)
            except RayError as error:
                raise as_sentence(error, "read a part of the source") from None
