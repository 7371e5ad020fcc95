"""Two homes on one tracking server change its champion at once, and their processes are killed at random.

`GANFLOW_DRILL_SEED` draws the changes and the moments, `pytest -s` prints what happened.
"""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from drilling import changer
from drilling.tracking_server import tracking_server
from mlflow import MlflowClient

from tasks.champion.history import BY_HAND, PROMOTED, ROLLED_BACK
from tasks.champion.store import Store, read_history
from tasks.releases.states import STATE, State
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, create_run, ending

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]
SEED = int(os.environ.get("GANFLOW_DRILL_SEED", "0"))
MODEL, VERSIONS, PROCESSES = "gan-generator", 6, 4
CHANGES, KILLS = 200, 12  # of each process


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Two homes' settings, on one server with six versions and a release of each."""
    with tracking_server(tmp_path) as address:
        homes = [Settings(ganflow_home=tmp_path / name, mlflow_tracking_uri=address) for name in ("ours", "theirs")]
        client = MlflowClient(address, address)
        client.create_registered_model(MODEL)
        for version in range(1, VERSIONS + 1):
            client.create_model_version(MODEL, "s3://nowhere/model", await_creation_for=0)
            tags = {"model_version": str(version), "model": MODEL, "release": f"v{version}-001"}
            with ending(create_run(homes[0], RELEASES, f"v{version}-001", tags)):
                pass
        yield homes


class Changer:
    """One process after another that works off changes, each killed at some moment but the last."""

    def __init__(self, settings, changes, draw):
        self.settings, self.changes, self.draw = settings, dict(changes), draw
        self.outcomes = {}
        self.killed = 0
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while self.changes:
            self.process()

    def process(self):
        environment = os.environ | {
            "GANFLOW_HOME": str(self.settings.home),
            "MLFLOW_TRACKING_URI": self.settings.tracking_uri,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        with subprocess.Popen(
            [sys.executable, changer.__file__],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            deadline = None
            reader = threading.Thread(target=self.read, args=(process,))
            reader.start()
            process.stdin.write("".join(f"{number} {what}\n" for number, what in self.changes.items()))
            process.stdin.close()
            if self.killed < KILLS:
                deadline = len(self.outcomes) + self.draw.randrange(1, 6)
                while process.poll() is None and len(self.outcomes) < deadline:
                    time.sleep(0.01)
                time.sleep(self.draw.uniform(0, 0.5))
                if process.poll() is None:
                    process.kill()
                    self.killed += 1
            reader.join()
        assert process.returncode in (0, -9)

    def read(self, process):
        for line in process.stdout:
            number, outcome = line.split()
            self.outcomes[int(number)] = outcome
            del self.changes[int(number)]


def changes(draw, count):
    """Numbered promotions, and every third time a way back."""
    return [
        (number, "back" if draw.random() < 0.35 else f"promote {draw.randrange(1, VERSIONS + 1)}")
        for number in range(count)
    ]


def require_right(history, in_use, previous):
    """The history is a chain, and what stands in use follows from it, reckoned here once more."""
    standing, champion = [], None
    for before, change in zip([None, *history.changes], history.changes, strict=False):
        assert (change.follows, change.before) == ((before.number, before.after) if before else (0, None))
        assert change.settled
        if change.kind == ROLLED_BACK:
            assert standing[-2] == change.after, "back is to the one before"
            standing.pop()
        else:
            assert change.kind == PROMOTED
            standing = [version for version in standing if version != change.after] + [change.after]
        champion = change.after
    assert (in_use, previous) == (champion, standing[-2] if len(standing) > 1 else None)


def test_one_champion_whatever_happens(settings):
    draw = random.Random(SEED)
    work = changes(draw, CHANGES)
    client = MlflowClient(settings[0].tracking_uri, settings[0].tracking_uri)
    changers = [
        Changer(settings[index % 2], work[index::PROCESSES], random.Random(f"{SEED} {index}"))
        for index in range(PROCESSES)
    ]
    seen, store = Counter(), Store(settings[0])
    while any(each.thread.is_alive() for each in changers):
        in_use = store.version_in_use()
        assert in_use or not seen, "there is always a champion, from the first on"
        seen.update([in_use] if in_use else [])
    outcomes = {number: outcome for each in changers for number, outcome in each.outcomes.items()}
    history = read_history(settings[1])
    print(f"\n{Counter(outcomes.values())}, {sum(each.killed for each in changers)} killed, champions seen {seen}")  # noqa: T201
    assert sorted(outcomes) == list(range(CHANGES))
    intents = [change.intent for change in history.changes]
    assert intents.count(BY_HAND) == 0
    assert len(set(intents)) == len(intents)
    assert set(intents) == {f"drill-{number}" for number, outcome in outcomes.items() if outcome == "done"}
    aliases = client.get_registered_model(MODEL).aliases
    previous = aliases.get("previous")
    require_right(history, int(aliases["champion"]), previous and int(previous))
    withdrawn = {str(change.before) for change in history.changes if change.kind == ROLLED_BACK}
    releases = client.search_runs([client.get_experiment_by_name(RELEASES).experiment_id])
    recalled = {run.data.tags["model_version"] for run in releases if run.data.tags.get(STATE) == State.RECALLED}
    assert recalled == withdrawn
