"""Real processes of one program, as the ranks of torch.distributed."""

import subprocess
import sys
from pathlib import Path


def run_ranks(program: str | Path, count: int, *arguments: str) -> None:
    """Run a file once for each rank, which is its first argument, to the end; warnings are errors there."""
    commands = [[sys.executable, "-W", "error", str(program), str(rank), *arguments] for rank in range(count)]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    try:
        errors = [worker.communicate(timeout=120)[1] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert [worker.returncode for worker in workers] == [0] * count, errors
