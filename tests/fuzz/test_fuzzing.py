"""Foreign bytes for every parser: for an hour in `make soak`, and a few examples of each in `make test`.

Whatever comes, a parser returns or raises what it documents; it ends within 30 seconds, maps no 4 GiB more than before,
and leaves no temporary file. After its first minute, or a third of a shorter time, a process may not gain 64 MiB of
resident memory, nor 8 open files or threads: with sound parsers 16 MiB were the most that one gained.

The hour is shared evenly; `GANFLOW_FUZZ_SECONDS` is the whole of it, without the start of each process. What failed is
in `.hypothesis/fuzz/NAME`: the examples, and in `reading-…` the bytes themselves; with both the next attack on that
target begins.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzing.run import LONGEST_SECONDS, Attack
from fuzzing.targets import TARGETS
from hypothesis import Phase

import gan

ROOT = Path(gan.__file__).parent.parent
SECONDS = float(os.environ.get("GANFLOW_FUZZ_SECONDS", "3600")) / len(TARGETS)
A_FEW = 10


@pytest.mark.integration
@pytest.mark.parametrize("name", TARGETS)
def test_a_few_examples(name, tmp_path):
    attack = Attack(TARGETS[name], tmp_path)
    attack.require_good_seeds()
    attack.some(A_FEW, attack.attempt, derandomize=True, database=None, phases=[Phase.generate])
    assert attack.done >= A_FEW // 2


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", TARGETS)
def test_foreign_bytes_for_a_while(name, capsys):
    module = TARGETS[name].read.__module__.removeprefix("fuzzing.")
    command = [sys.executable, "-m", "fuzzing.run", f"{module}.{name}", "--seconds", str(SECONDS)]
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS + 20 * LONGEST_SECONDS,
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {done.stdout.strip() or 'failed'}\n")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-20_000:]
