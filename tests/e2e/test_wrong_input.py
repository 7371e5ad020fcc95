"""What a user may get wrong once there is a model: one sentence, exit status 2, and nothing done."""

import pytest

pytestmark = pytest.mark.e2e


def refused(done, *words, status=2):
    """Check for one sentence on standard error, none of a traceback, nothing on standard output."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("ganflow: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_label_outside_the_classes(home, tmp_path):
    done = home.ganflow("sample", "--label=10", "-o", str(tmp_path / "grid.png"))
    refused(done, "label 10", "0 to 9")
    assert not (tmp_path / "grid.png").exists()


def test_unknown_run(home):
    refused(home.ganflow("register", "0" * 32, "--preset", "debug"), "0" * 32)


def test_unreadable_weights(home, tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"not the network")
    done = home.ganflow(
        "evaluate", "--preset", "debug", "--set", "evaluation.seed=9",
        GANFLOW_INCEPTION_WEIGHTS=str(tmp_path / "weights.pt"),
    )  # fmt: skip
    refused(done, "weights.pt")
