"""Processes of ours on this machine that take jobs through a pipe, and end with the process that started them.

Not multiprocessing: its children import the main program, here Prefect, and outlive a parent that is killed.
"""

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

Tell = Callable[[Any], None]


class ChildKilledError(Exception):
    """A child is gone that had a job: it was killed, most likely for want of memory."""


class Child:
    """A process that does jobs, of one thread, for the cores are taken by processes.

    Args:
        module: what it runs; its `main` calls `serve`.
    """

    def __init__(self, module: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the process that hands out the jobs, whose end it sees
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._jobs, self._results = self._process.stdin, self._process.stdout

    def send(self, job: Any) -> None:
        """Hand a job over; it may have to wait there for the one before.

        Raises:
            ChildKilledError: the process is gone.
        """
        try:
            pickle.dump(job, self._jobs, pickle.HIGHEST_PROTOCOL)
            self._jobs.flush()
        except OSError:
            raise ChildKilledError from None

    def receive(self) -> Any:
        """Wait for the next of what the process tells of the job that was handed over first, or raise what it raised.

        Raises:
            ChildKilledError: the process is gone.
        """
        try:
            result = pickle.load(self._results)  # noqa: S301 - from our own process, over a pipe of ours
        except (OSError, EOFError, pickle.UnpicklingError):
            raise ChildKilledError from None
        if isinstance(result, BaseException):
            raise result
        return result

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._jobs, self._results):
            with suppress(OSError):  # what could not be handed over any more
                pipe.close()


def bytes_of(job: Any) -> int:
    """Return how many bytes a job is on its way."""
    return len(pickle.dumps(job, pickle.HIGHEST_PROTOCOL))


def serve(do: Callable[[Any, Tell], Any], as_is: tuple[type[Exception], ...]) -> None:
    """Do the jobs that come on standard input until it ends, and tell on standard output what they become.

    Args:
        do: called with a job, and with what tells something of it on the way; what it returns is told last.
        as_is: exceptions that are told as they are; of others type and words, as a RuntimeError.
    """
    waiting: SimpleQueue[Any] = SimpleQueue()
    with os.fdopen(os.dup(1), "wb") as results:
        os.dup2(2, 1)  # what a library prints must not come between results
        Thread(target=_listen, args=(sys.stdin.buffer, waiting), daemon=True).start()

        def tell(result: object) -> None:
            try:
                pickle.dump(result, results, pickle.HIGHEST_PROTOCOL)
                results.flush()
            except BrokenPipeError:
                os._exit(1)  # nobody waits any more, and closing the pipe would raise again

        while True:
            job = waiting.get()
            try:
                tell(do(job, tell))
            except as_is as error:
                tell(error)
            except Exception as error:
                tell(RuntimeError(f"{type(error).__name__}: {error}"))


def _listen(jobs: BinaryIO, waiting: "SimpleQueue[Any]") -> None:
    # The end of the pipe is that of the other process, however it ended: then nobody wants what is being done.
    while True:
        try:
            waiting.put(pickle.load(jobs))  # noqa: S301 - from our own process, over a pipe of ours
        except EOFError:
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
