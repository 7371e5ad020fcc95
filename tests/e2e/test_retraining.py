"""What a retraining does about those before it, by the command line: real trainings of two seeds."""

import json

import pytest
from mlflow import MlflowClient

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]
WORDS = ("retrain", "--preset", "debug", "--set", "train.total_kimg=0.2", "--set", "evaluation.watch_images=32")


def test_the_better_of_two_seeds_becomes_a_version_and_the_same_again_is_skipped(home):
    done = home.ganflow(*WORDS, "--trials", "2", "--json", timeout=900)
    assert done.returncode == 0, done.stderr
    version = str(json.loads(done.stdout)["version"])
    mlflow = MlflowClient(f"sqlite:///{home.path / 'mlflow.db'}")
    chosen = mlflow.get_run(mlflow.get_model_version("gan-generator", version).run_id)
    experiment = mlflow.get_experiment_by_name("ganflow-training").experiment_id
    trials = mlflow.search_runs([experiment], f"tags.recipe = '{chosen.data.tags['recipe']}'")
    kids = {run.info.run_id: run.data.metrics["best_kid"] for run in trials}
    assert (len(kids), min(kids, key=kids.get)) == (2, chosen.info.run_id)
    (other,) = (run for run in trials if run.info.run_id != chosen.info.run_id)
    assert {run.data.params["train.seed"] for run in trials} == {"0", "1"}
    for figure in kids.values():
        assert f"{figure:.6g}" in other.data.tags["verdict"]
    assert other.data.tags["verdict"].startswith("not chosen: ")

    again = home.ganflow(*WORDS, "--trials", "2", "--skip-unchanged", "--json")
    assert again.returncode == 0, again.stderr
    skipped = json.loads(again.stdout)
    assert (skipped["run_id"], skipped["version"]) == (chosen.info.run_id, int(version))
    assert skipped["verdict"] == chosen.data.tags["verdict"]
    told = home.ganflow(*WORDS, "--skip-unchanged")
    assert told.stdout == f"skipped   {skipped['skipped']}\n"
    queue = mlflow.search_runs([mlflow.get_experiment_by_name("ganflow-retrainings").experiment_id])
    assert len(queue) >= 3
    assert "RUNNING" not in {run.info.status for run in queue}, "whoever had the turn gave it back"


def test_trials_without_a_score_beside_training_are_refused_before_anything_starts(home):
    done = home.ganflow(*WORDS, "--set", "evaluation.watch_images=0", "--trials", "2")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "cannot be told apart with evaluation.watch_images=0" in done.stderr
