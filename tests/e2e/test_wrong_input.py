"""What a user may get wrong: one sentence, exit status 2, and nothing done."""

import socket
from pathlib import Path

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


@pytest.fixture
def empty_home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return home


def test_unknown_preset(empty_home, ganflow_in):
    refused(ganflow_in(empty_home)("run", "--preset", "huge"), "unknown preset «huge»", "debug, digits")
    assert list(empty_home.iterdir()) == []


def test_unknown_key(empty_home, ganflow_in):
    refused(ganflow_in(empty_home)("run", "--set", "train.epochs=3"), "unknown key «train.epochs»", "presets --keys")
    assert list(empty_home.iterdir()) == []


def test_two_values_that_disagree(empty_home, ganflow_in):
    done = ganflow_in(empty_home)("train", "--set", "data.resolution=64")
    refused(done, "16 px", "64 px")


def test_unwritable_home(tmp_path, ganflow_in):
    # A folder cannot be made below a file, not even by root, for whom no folder is read-only.
    (tmp_path / "file").write_text("")
    done = ganflow_in(tmp_path / "file" / "home")("run", "--preset", "debug")
    refused(done, str(tmp_path / "file" / "home"), "GANFLOW_HOME")


def test_empty_source(empty_home, ganflow_in):
    (empty_home / "photos").mkdir()
    done = ganflow_in(empty_home)("run", "--source", str(empty_home / "photos"), "--preset", "debug")
    refused(done, str(empty_home / "photos"))


def test_missing_source(empty_home, ganflow_in):
    refused(ganflow_in(empty_home)("ingest", str(empty_home / "nowhere")), "nowhere")


def test_no_dataset_to_train_on(empty_home, ganflow_in):
    refused(ganflow_in(empty_home)("train", "--preset", "debug"), "no dataset", "ganflow ingest")


def test_no_champion(empty_home, ganflow_in):
    refused(ganflow_in(empty_home)("generate"), "«champion»", "ganflow retrain")
    assert not (empty_home / "synthetic").exists()


def test_no_mlflow_server(empty_home, ganflow_in):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    refused(ganflow_in(empty_home)("generate", MLFLOW_TRACKING_URI=address), address, "MLFLOW_TRACKING_URI", status=75)


@pytest.mark.parametrize("label", ["10", "-2"])
def test_label_outside_the_classes(home, tmp_path, label):
    done = home.ganflow("sample", f"--label={label}", "-o", str(tmp_path / "grid.png"))
    refused(done, f"label {label}", "0 to 9")
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


def test_usage_is_explained(empty_home, ganflow_in):
    done = ganflow_in(empty_home)("generate", "--n", "none")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert Path(empty_home).is_dir()
