"""What a user may get wrong before there is anything: one sentence, exit status 2, and nothing done."""

import socket

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return home


def check_refused(done, *words, status=2):
    """Check for one sentence on standard error, none of a traceback, nothing on standard output."""
    returned, out, err = done
    assert (returned, out) == (status, ""), err
    assert err.startswith("ganflow: "), err
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err


def test_unknown_preset(home, ganflow):
    check_refused(ganflow("run", "--preset", "huge"), "unknown preset «huge»", "debug, digits")
    assert list(home.iterdir()) == []


def test_unknown_key(home, ganflow):
    check_refused(ganflow("run", "--set", "train.epochs=3"), "unknown key «train.epochs»", "presets --keys")
    assert list(home.iterdir()) == []


def test_two_values_that_disagree(home, ganflow):
    check_refused(ganflow("train", "--set", "data.resolution=64"), "16 px", "64 px")


def test_unwritable_home(tmp_path, ganflow, monkeypatch):
    # A folder cannot be made below a file, not even by root, for whom no folder is read-only.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "file" / "home"))
    check_refused(ganflow("run", "--preset", "debug"), str(tmp_path / "file" / "home"), "GANFLOW_HOME")


def test_empty_source(home, ganflow):
    (home / "photos").mkdir()
    check_refused(ganflow("run", "--source", str(home / "photos"), "--preset", "debug"), str(home / "photos"))


def test_missing_source(home, ganflow):
    check_refused(ganflow("ingest", str(home / "nowhere")), "nowhere")


def test_no_dataset_to_train_on(home, ganflow):
    check_refused(ganflow("train", "--preset", "debug"), "no dataset", "ganflow ingest")


def test_no_champion(home, ganflow):
    check_refused(ganflow("generate"), "«champion»", "ganflow retrain")
    assert not (home / "synthetic").exists()


def test_no_mlflow_server(home, ganflow, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    check_refused(ganflow("generate"), address, "MLFLOW_TRACKING_URI", status=75)


def test_usage_is_explained(home, ganflow):
    returned, out, err = ganflow("generate", "--n", "none")
    assert (returned, out) == (2, "")
    assert err.startswith("Usage: ")
    assert "Invalid value for '--n'" in err
    assert list(home.iterdir()) == []
