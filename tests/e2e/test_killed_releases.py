"""One release of many images, by any number of workers and over ten kills of the whole command: the same bytes.

`GANFLOW_SOAK_IMAGES` says how many images, `GANFLOW_SOAK_SEED` draws the moments; `pytest -m slow -s` prints figures.
"""

import json
import os
import random
import sqlite3
import time
from contextlib import closing

import pytest
from copied_home import copied
from drilling.commands import Command, until

from gan.data.store.shards import read_column
from tasks.dataset.session import tracked_md5
from tasks.generate.names import next_name
from tasks.releases.states import releases
from tasks.runtime.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3600)]
IMAGES = int(os.environ.get("GANFLOW_SOAK_IMAGES", "10000"))
SEED = int(os.environ.get("GANFLOW_SOAK_SEED", "0"))
SHARDS = 40


@pytest.fixture
def quotas(tmp_path):
    """As many images of each class as nobody would ask for."""
    weights = [1 + label * label for label in range(10)]
    wanted = {str(label): IMAGES * weight // sum(weights) for label, weight in enumerate(weights)}
    wanted["9"] += IMAGES - sum(wanted.values())
    path = tmp_path / "want.csv"
    path.write_text("class,count\n" + "".join(f"{name},{count}\n" for name, count in wanted.items()))
    return path, wanted


class Place:
    """A copy of the home, in which the command is typed."""

    def __init__(self, home, folder, quotas):
        self.settings = Settings(ganflow_home=copied(home.path, folder), mlflow_tracking_uri=None)
        self.environment = home.environment | {"GANFLOW_HOME": str(folder)}
        self.before, self.name = releases(self.settings), next_name(self.settings, 1)
        self.words = (
            "generate",
            "--model",
            "1",
            "--balance",
            str(quotas),
            "--shard-images",
            str(IMAGES // SHARDS),
            "--json",
        )
        self.records = self.settings.state_dir / "releases" / self.name / "shards"
        self.folder = self.settings.synthetic_dir / self.name
        self.pointer = self.settings.synthetic_dir / f"{self.name}.dvc"

    def command(self, *more):
        return Command(self.settings.home.parent, *self.words, *more, environment=self.environment)

    def shards(self):
        return len(list(self.records.glob("*.json")))

    def database(self):
        """MLflow's, in which nothing is committed that is not asked for."""
        return closing(sqlite3.connect(self.settings.home / "mlflow.db", timeout=60, isolation_level=None))


def half_recorded(database):
    """Whether a release's run is there and unfinished: then nobody else can write, and else everybody."""
    for _ in range(50):
        database.execute("BEGIN IMMEDIATE")
        found = database.execute(
            "SELECT COUNT(*) FROM runs JOIN experiments USING (experiment_id)"
            " WHERE experiments.name = 'ganflow-releases' AND runs.status = 'RUNNING'"
        ).fetchone()[0]
        if found:
            return True
        database.execute("ROLLBACK")
        time.sleep(0.001)
    return False


def moments(place, draws):
    """Ten moments: while it starts, amid its shards, and each step from the last image to the record."""
    until_killed = time.monotonic() + draws.uniform(0, 8)
    yield "starts", lambda: time.monotonic() > until_killed
    for _ in range(6):
        goal = place.shards() + draws.randint(1, 6)
        yield f"has {goal} shards", lambda goal=goal: place.shards() >= goal
    yield "has its name", place.folder.exists
    yield "is tracked", place.pointer.exists
    with place.database() as database:  # its record waits for ours, so no record is faster than the kill
        yield "is half recorded", lambda: half_recorded(database)


def test_ten_kills_and_two_workers_change_no_byte(home, tmp_path, quotas):
    path, wanted = quotas
    undisturbed = Place(home, tmp_path / "undisturbed", path)
    began = time.monotonic()
    first = undisturbed.command().result()
    print(f"\n{IMAGES} images by one process in {time.monotonic() - began:.0f} s of wall time")  # noqa: T201
    assert (first["name"], first["num_images"]) == (undisturbed.name, IMAGES)
    labels = read_column(undisturbed.folder, "train", "label")
    assert {str(label): labels.count(label) for label in range(10)} == wanted
    assert len(set(read_column(undisturbed.folder, "train", "seed"))) == IMAGES

    two = Place(home, tmp_path / "two", path)
    assert two.command("--workers", "2").result()["md5"] == first["md5"]

    draws, killed, said = random.Random(SEED), Place(home, tmp_path / "killed", path), []
    for what, reached in moments(killed, draws):
        command = killed.command()
        until(reached, command)
        time.sleep(draws.random() / 20)
        assert not command.ended, command.said()
        command.kill()
        command.end()
        said.append(f"{what}: {killed.shards()} shards")
        assert releases(killed.settings) == killed.before
    last = killed.command().result()
    print(json.dumps(said, indent=1), last)  # noqa: T201
    assert (last["name"], last["md5"]) == (first["name"], first["md5"])
    assert tracked_md5(killed.pointer) == first["md5"]
    newest, *others = releases(killed.settings)
    assert (newest.name, others) == (killed.name, killed.before)
    assert list((killed.settings.state_dir / "releases").iterdir()) == []
    there = {path.name for path in killed.settings.synthetic_dir.iterdir()}
    assert there - {path.name for path in (home.path / "synthetic").iterdir()} == {killed.name, killed.pointer.name}
