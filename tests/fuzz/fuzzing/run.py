"""The child process that attacks a parser: `python -m fuzzing.run of_models.program_graph`, or with `--replay FILE`."""

import argparse
import contextlib
import faulthandler
import importlib
import json
import os
import sys
import time
from pathlib import Path
from urllib.parse import quote, unquote

from hypothesis import HealthCheck, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from fuzzing.target import TARGETS
from fuzzing.watch import Held, limit_memory

LONGEST_SECONDS = 30
"""What takes longer hangs: the process is ended then, and its bytes stay in the file that was being read."""
STANDARD_ERROR = os.dup(2)  # which stays what it is while a target's is taken away
READING = "reading-"
_RUN_SECONDS = 5
_WARM_SECONDS = 60


class Attack:
    """Examples for one target, one after the other, until the time is over or one fails.

    Args:
        target: the parser.
        state: folder where hypothesis keeps what failed, and where the bytes lie that are being read.
    """

    def __init__(self, target, state):
        self.target = target
        self.seeds = target.seeds()
        self.examples = target.examples(sorted(self.seeds))  # once: hypothesis remembers each strategy
        self.state = state
        self.done = self.taken = 0
        state.mkdir(parents=True, exist_ok=True)

    def attempt(self, name, data):
        """Read bytes."""
        self.taken += self.target.attempt(name, data)
        self.done += 1

    def attempt_watched(self, name, data):
        """Read bytes that lie on the disk before anything can happen to this process, which ends if they hang."""
        with watched_bytes(self.state, name, data):
            self.attempt(name, data)

    def some(self, count, attempt, **options):
        """Make some examples; hypothesis begins with those that have failed before."""

        @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), **options)
        @given(self.examples)
        def one(example):
            attempt(example[0], self.target.content(self.seeds, example))

        one()

    def require_good_seeds(self):
        """Refuse seeds that are refused: of bad ones nothing comes."""
        for name, data in self.seeds.items():
            assert self.target.attempt(name, data), f"the seed {name} itself is refused"

    def go_on(self, seconds):
        """Make examples for a time, and look that nothing is gathered; returns what was done, for people."""
        self.require_good_seeds()
        limit_memory()
        for left in sorted(self.state.glob(f"{READING}*")):  # when the process ended over them
            self.attempt_watched(name_of(left), left.read_bytes())
        database = DirectoryBasedExampleDatabase(self.state / "examples")
        begun, count, warm = time.monotonic(), 10, None
        while (spent := time.monotonic() - begun) < seconds:
            before = time.monotonic()
            self.some(count, self.attempt_watched, database=database)
            rate = count / max(0.001, time.monotonic() - before)
            count = max(10, min(5000, int(rate * min(_RUN_SECONDS, seconds - spent))))
            if warm is None and time.monotonic() - begun >= min(_WARM_SECONDS, seconds / 3):
                warm = Held.now()
        after = Held.now()
        after.require_no_more_than(warm or after)
        grown = (after.resident - (warm or after).resident) / 2**20
        return {"examples": self.done, "taken": self.taken, "grown": round(grown, 1), "resident": after.resident >> 20}


@contextlib.contextmanager
def watched_bytes(state, name, data):
    """Have the bytes on the disk while they are read, and end the process if that takes too long."""
    file = state / f"{READING}{quote(name, safe='')}"
    file.write_bytes(data)
    faulthandler.dump_traceback_later(LONGEST_SECONDS, exit=True, file=STANDARD_ERROR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
    file.unlink()  # not where it failed


def name_of(file):
    """Return what bytes were called that lie in a file of `watched_bytes`."""
    return unquote(file.name.removeprefix(READING))


def main():
    """Attack, or read one file again."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", help="module and function")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--state", type=Path, default=Path(".hypothesis", "fuzz"))
    given = parser.parse_args()
    faulthandler.enable(STANDARD_ERROR)
    module, _, name = given.name.partition(".")
    importlib.import_module(f"fuzzing.{module}")  # and no other: most of a short attack would be imports
    attack = Attack(TARGETS[name], given.state / name)
    if given.replay:
        attack.attempt(name_of(given.replay), given.replay.read_bytes())
        sys.stdout.write("it was read\n")
    else:
        sys.stdout.write(json.dumps(attack.go_on(given.seconds)) + "\n")


if __name__ == "__main__":
    main()
