"""The list of ingests is MLflow's, and a later process reads it without MLflow until the database changes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.runtime.settings import Settings
from tasks.tracking.client import DATASETS, TRAINING, client, run
from tasks.tracking.ingest_runs import ingest_runs

pytestmark = pytest.mark.integration
PROGRAM = """
import sys
from pathlib import Path
from tasks.tracking.ingest_runs import ingest_runs
from tasks.runtime.settings import Settings
runs = ingest_runs(Settings(ganflow_home=Path(sys.argv[1]), mlflow_tracking_uri=None))
print(*(run.md5[0] for run in runs), "mlflow" in sys.modules)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(ganflow_home=tmp_path, mlflow_tracking_uri=None)


def ingest(settings: Settings, letter: str) -> str:
    with run(settings, DATASETS, letter, {"dataset_md5": letter * 32, "source": "mine"}) as log:
        log.metrics({"num_train": 3}, step=0)
    return log.run_id


def of_another_process(settings: Settings) -> str:
    command = [sys.executable, "-c", PROGRAM, str(settings.home)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_home_without_a_database_gets_none(settings):
    assert ingest_runs(settings) == []
    assert list(settings.home.iterdir()) == []


@pytest.mark.slow
def test_the_list_is_kept_until_the_database_changes(settings):
    first = ingest(settings, "a")
    (only,) = ingest_runs(settings)
    assert (only.run_id, only.md5, only.num_train, only.num_test, only.source) == (first, "a" * 32, 3, None, "mine")
    assert of_another_process(settings) == "a False"
    ingest(settings, "b")
    assert of_another_process(settings) == "b a True"
    assert of_another_process(settings) == "b a False"
    with run(settings, TRAINING, "another sort of run", {}):
        pass
    assert of_another_process(settings) == "b a True"
    client(settings).delete_run(first)
    assert [one.md5[0] for one in ingest_runs(settings)] == ["b"]
    assert of_another_process(settings) == "b False"


def test_a_copy_that_cannot_be_read_is_made_anew(settings):
    ingest(settings, "a")
    (only,) = ingest_runs(settings)
    copy = settings.cache_dir / "ingests.json"
    whole = copy.read_bytes()
    for damaged in (b"", whole[:-9], whole.replace(b"started", b"begun")):
        copy.write_bytes(damaged)
        assert ingest_runs(settings) == [only]
        assert copy.read_bytes() == whole


@pytest.mark.slow
def test_another_database_has_a_list_of_its_own(settings, tmp_path):
    ingest(settings, "a")
    assert len(ingest_runs(settings)) == 1
    other = Settings(ganflow_home=tmp_path, mlflow_tracking_uri=f"sqlite:///{tmp_path / 'other.db'}")
    assert ingest_runs(other) == []
