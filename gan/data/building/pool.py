"""Jobs on all cores of this machine, in processes that end with this one, however it ends."""

from collections import deque
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Self

from gan.data.building.build import in_this_process
from gan.data.building.encode import Job
from gan.device.child import Child, ChildKilledError
from gan.device.cores import cores
from gan.errors import ResourcesError

_AHEAD = 2  # jobs that each process has: one to do, and the next, so that it never waits


class Pool:
    """Processes that read parts, one for each core that this one may use.

    They start at once, so that they are there when a source has been listed, and end with the block.
    """

    def __init__(self) -> None:
        count = cores()
        self._workers = [Child("gan.data.building.pool_worker") for _ in range(count)] if count > 1 else []

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, whatever they are doing."""
        for worker in self._workers:
            worker.end()

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, bytes | None]]:
        """Do jobs; yield the number of each and what `gan.data.building.encode.do` returns, as they come.

        Raises:
            ResourcesError: a process was killed, for want of memory most likely.
        """
        if not self._workers or len(jobs) < 2:
            yield from in_this_process(jobs)
            return
        # A result that comes through the pipe may be large, and who hands over a job does not read it.
        ahead = _AHEAD if all(job.to for job in jobs) else 1
        waiting = iter(enumerate(jobs))
        taking = Lock()
        done: SimpleQueue[tuple[int, bytes | None] | Exception] = SimpleQueue()

        def serve(worker: Child) -> None:
            handed: deque[int] = deque()
            try:
                while True:
                    while len(handed) < ahead:
                        with taking:
                            number, job = next(waiting, (-1, None))
                        if job is None:
                            break
                        worker.send(job)
                        handed.append(number)
                    if not handed:
                        return
                    done.put((handed.popleft(), worker.receive()))
            except ChildKilledError:
                done.put(_killed())
            except Exception as error:
                done.put(error)

        for worker in self._workers:
            Thread(target=serve, args=(worker,), daemon=True, name="ingest").start()
        for _ in jobs:
            result = done.get()
            if isinstance(result, Exception):
                raise result
            yield result


def _killed() -> ResourcesError:
    return ResourcesError(
        "a process that reads images was killed, most likely for want of memory: free some and run this again, "
        "what is done is kept"
    )
