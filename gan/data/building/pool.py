"""Jobs on all cores of this machine, in processes that end with this one, however it ends."""

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Self

from gan.data.building.build import in_this_process
from gan.data.building.encode import Job
from gan.device.cores import cores
from gan.errors import ResourcesError

_AHEAD = 2  # jobs that each process has: one to do, and the next, so that it never waits


class Pool:
    """Processes that read parts, one for each core that this one may use.

    They start at once, so that they are there when a source has been listed, and end with the block.
    """

    def __init__(self) -> None:
        count = cores()
        self._workers = [_Worker() for _ in range(count)] if count > 1 else []

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

        def serve(worker: _Worker) -> None:
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
            except Exception as error:
                done.put(error)

        for worker in self._workers:
            Thread(target=serve, args=(worker,), daemon=True, name="ingest").start()
        for _ in jobs:
            result = done.get()
            if isinstance(result, Exception):
                raise result
            yield result


class _Worker:
    """A process that takes jobs from its standard input, which ends when this process does.

    Not multiprocessing: its children import the main program, here Prefect, and outlive a parent that is killed.
    """

    def __init__(self) -> None:
        # One thread each: the cores are taken by processes.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "gan.data.building.pool_worker"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the process that hands out the jobs, whose end it sees
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._jobs, self._results = self._process.stdin, self._process.stdout

    def send(self, job: Job) -> None:
        """Hand a job over; it may have to wait there for the one before."""
        try:
            pickle.dump(job, self._jobs)
            self._jobs.flush()
        except OSError:
            raise _killed() from None

    def receive(self) -> bytes | None:
        """Wait for the result of the job that was handed over first."""
        try:
            result = pickle.load(self._results)  # noqa: S301 - from our own process, over a pipe of ours
        except (OSError, EOFError, pickle.UnpicklingError):
            raise _killed() from None
        if isinstance(result, BaseException):
            raise result
        assert result is None or isinstance(result, bytes)
        return result

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._jobs, self._results):
            try:
                pipe.close()
            except OSError:  # what could not be handed over any more
                continue


def _killed() -> ResourcesError:
    return ResourcesError(
        "a process that reads images was killed, most likely for want of memory: free some and run this again, "
        "what is done is kept"
    )
