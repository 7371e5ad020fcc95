"""Jobs on all cores of this machine, in processes that end with this one, however it ends."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue

from gan.data.build import in_this_process
from gan.data.encode import Job
from gan.errors import ResourcesError

_TOO_FEW = 4  # starting processes takes longer than so many parts
_AHEAD = 2  # jobs handed out for each core: enough to keep it busy, few enough to bound memory


def on_all_cores(jobs: Sequence[Job]) -> Iterator[tuple[int, bytes]]:
    """Do jobs in as many processes as this one may use cores; yield the number of each and its result, as they come.

    Raises:
        ResourcesError: a process was killed, for want of memory most likely.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(jobs) < _TOO_FEW or cores == 1:
        yield from in_this_process(jobs)
        return
    workers = [_Worker() for _ in range(cores)]
    free: SimpleQueue[_Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def do(job: Job) -> bytes:
        worker = free.get()
        try:
            return worker.encode(job)
        finally:
            free.put(worker)

    waiting = iter(enumerate(jobs))
    running: dict[Future[bytes], int] = {}
    threads = ThreadPoolExecutor(cores, "ingest")  # each waits for one process
    try:
        while True:
            for number, job in waiting:
                running[threads.submit(do, job)] = number
                if len(running) >= _AHEAD * cores:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    finally:
        for worker in workers:
            worker.end()
        threads.shutdown(cancel_futures=True)


class _Worker:
    """A process that takes jobs from its standard input, which ends when this process does.

    Not multiprocessing: its children import the main program, here Prefect, and outlive a parent that is killed.
    """

    def __init__(self) -> None:
        # One thread each: the cores are taken by processes.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "gan.data.pool_worker"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._jobs, self._results = self._process.stdin, self._process.stdout

    def encode(self, job: Job) -> bytes:
        """Hand a job over and wait for its result."""
        try:
            pickle.dump(job, self._jobs)
            self._jobs.flush()
            result = pickle.load(self._results)  # noqa: S301 - from our own process, over a pipe of ours
        except (OSError, EOFError, pickle.UnpicklingError):
            raise ResourcesError(
                "a process that reads images was killed, most likely for want of memory: free some and run this "
                "again, what is done is kept"
            ) from None
        if isinstance(result, BaseException):
            raise result
        assert isinstance(result, bytes)
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
