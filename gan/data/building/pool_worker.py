"""A process of `gan.data.building.pool`: jobs from standard input to results on standard output, until that ends."""

import gc
import os
import pickle
import sys

from gan.data.building.encode import do
from gan.errors import GanflowError


def main() -> None:
    """Do jobs until there are no more."""
    gc.disable()  # what is read makes no cycles
    with os.fdopen(os.dup(1), "wb") as results:
        os.dup2(2, 1)  # what a library prints must not come between results
        while True:
            try:
                job = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own process, over a pipe of ours
            except EOFError:
                return
            try:
                result: object = do(job)
            except (GanflowError, OSError) as error:
                result = error
            except Exception as error:  # told to the process that waits
                result = RuntimeError(f"{type(error).__name__}: {error}, while reading {str(job.part)[:500]}")
            try:
                pickle.dump(result, results)
                results.flush()
            except BrokenPipeError:
                os._exit(1)  # nobody waits any more, and closing the pipe would raise again


if __name__ == "__main__":
    main()
