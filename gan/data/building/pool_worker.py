"""A process of `gan.data.building.pool`: jobs from standard input to results on standard output, until that ends."""

import gc

from gan.data.building.encode import Job, do
from gan.device.child import Tell, serve
from gan.errors import GanflowError


def main() -> None:
    """Do jobs until there are no more."""
    gc.disable()  # what is read makes no cycles
    serve(_done, (GanflowError, OSError, RuntimeError))


def _done(job: Job, tell: Tell) -> bytes | None:
    try:
        return do(job)
    except (GanflowError, OSError):
        raise
    except Exception as error:
        raise RuntimeError(f"{type(error).__name__}: {error}, while reading {str(job.part)[:500]}") from error


if __name__ == "__main__":
    main()
