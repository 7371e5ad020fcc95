"""Training that goes wrong, on real Ray."""

import json
import signal
import time

import pytest
from mlflow import MlflowClient

pytestmark = pytest.mark.e2e
LONG = ("--preset", "debug", "--set", "train.total_kimg=4", "--set", "train.checkpoint_kimg=0.5")


def first_checkpoint(home, process):
    """Wait until the training has a checkpoint, and return its run's id."""
    before = set((home.path / ".ganflow" / "runs").iterdir())
    while process.poll() is None:
        for folder in set((home.path / ".ganflow" / "runs").iterdir()) - before:
            if list(folder.glob("checkpoint_*/sha256.json")) and list(folder.glob("checkpoint_*.json")):
                return folder.name
        time.sleep(0.05)
    raise AssertionError(f"training ended with {process.returncode} before its first checkpoint")


def while_it_stands_still(home, process, run_id):
    """Ask for the run of a process that lives and does not come to its end."""
    for _ in range(5):
        process.send_signal(signal.SIGSTOP)
        asked = home.ganflow("train", *LONG, "--resume", run_id)
        if asked.returncode != 75:
            break
        process.send_signal(signal.SIGCONT)  # it stood still within a write, and kept MLflow's database locked
        time.sleep(0.5)
    return asked


@pytest.mark.timeout(900)
def test_a_killed_training_goes_on_in_its_own_run(home):
    mlflow = MlflowClient(f"sqlite:///{home.path / 'mlflow.db'}")
    with home.start("train", *LONG) as process:
        run_id = first_checkpoint(home, process)
        meanwhile = while_it_stands_still(home, process, run_id)
        process.kill()
    assert meanwhile.returncode == 2
    assert meanwhile.stderr.startswith(f"ganflow: run {run_id} is being trained by process {process.pid} on ")
    assert meanwhile.stderr.count("\n") == 1, meanwhile.stderr
    assert mlflow.get_run(run_id).info.status == "RUNNING", "nobody was left to say otherwise"

    done = home.ganflow("train", *LONG, "--resume", "auto", "--json")
    assert done.returncode == 0, done.stderr
    assert f"run {run_id} goes on from image " in done.stderr
    result = json.loads(done.stdout)
    assert (result["run_id"], result["cur_nimg"]) == (run_id, 4000)
    run = mlflow.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["choice"] == "fp32"
    assert int(run.data.tags["resumed_at"]) >= 512
    steps = [point.step for point in mlflow.get_metric_history(run_id, "D_loss")]
    assert max(steps) == 4000


def test_a_dry_run_starts_nothing(home):
    mlflow = MlflowClient(f"sqlite:///{home.path / 'mlflow.db'}")

    def runs():
        return {
            run.info.run_id for each in mlflow.search_experiments() for run in mlflow.search_runs(each.experiment_id)
        }

    before, folders = runs(), set((home.path / ".ganflow" / "runs").iterdir())
    done = home.ganflow("train", "--preset", "debug", "--dry-run", "--resume", "auto", "--json")
    assert done.returncode == 0, done.stderr
    assert "no unfinished run of this recipe on this dataset can go on: a new run begins" in done.stderr
    found = json.loads(done.stdout)
    assert found["dataset_md5"] == home.result["dataset"]["md5"]
    assert found["seconds"] > 0
    assert found["cost"]["generator_parameters"] > 0
    assert runs() == before
    assert set((home.path / ".ganflow" / "runs").iterdir()) == folders


def test_a_warm_start_that_does_not_fit_is_refused_before_anything_starts(home):
    options = ("--preset", "debug", "--set", "network.latent_dim=8", "--warm-start", "champion")
    done = home.ganflow("retrain", *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("ganflow: training cannot start from gan-generator version "), done.stderr
    assert "network.latent_dim is 32 but this run's is 8" in done.stderr


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_with_a_sentence(home):
    done = home.ganflow("train", "--preset", "debug", "--set", "optimizer.lr=1e30", "--set", "optimizer.final_lr=1e30")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "NaN or infinite at image" in done.stderr
    assert "optimizer.lr" in done.stderr


@pytest.mark.slow
def test_more_workers_than_the_cluster_has(home):
    done = home.ganflow("train", "--preset", "debug", "--workers", "999")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "999 workers" in done.stderr
