"""Training that goes wrong, on real Ray."""

import pytest

pytestmark = pytest.mark.e2e


def test_a_loss_that_is_not_finite_stops_the_run_with_a_sentence(home):
    done = home.ganflow("train", "--preset", "debug", "--set", "optimizer.lr=1e30", "--set", "optimizer.final_lr=1e30")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "NaN or infinite at image" in done.stderr
    assert "optimizer.lr" in done.stderr


def test_more_workers_than_the_cluster_has(home):
    done = home.ganflow("train", "--preset", "debug", "--workers", "999")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "999 workers" in done.stderr
