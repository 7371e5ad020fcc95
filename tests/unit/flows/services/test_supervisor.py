"""The children of `ganflow up`, here small programs: one that ends is started again, a few times."""

import io
import os
import signal
import threading

import pytest
from rich.console import Console

from flows.services import supervisor
from flows.services.supervisor import RESTARTS, Children, StopRequests
from gan.errors import GanflowError

COUNTING = """
import os, sys, time
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
print("runs", flush=True)
time.sleep(600)
"""
FAILING = "import sys; print('no port', flush=True); sys.exit(3)"


@pytest.fixture
def shown():
    return io.StringIO()


@pytest.fixture
def started(tmp_path, monkeypatch, shown):
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.01)
    (tmp_path / "counting.py").write_text(COUNTING)
    (tmp_path / "failing.py").write_text(FAILING)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    found = Children(tmp_path / "logs", environment, tmp_path, StopRequests(), Console(file=shown))
    yield found
    found.stop()


def pids(path):
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait_for(condition):
    patience = threading.Event()
    for _ in range(600):
        if condition():
            return
        patience.wait(0.1)
    pytest.fail("waited in vain")


def test_a_child_that_is_killed_is_started_again_and_the_others_run_on(started, tmp_path, shown):
    one, other = tmp_path / "one", tmp_path / "other"
    started.start("MLflow server", ["counting", str(one)])
    started.start("worker", ["counting", str(other)])
    wait_for(lambda: pids(one) and pids(other))
    restarted = []

    def kill_and_stop():
        os.kill(pids(one)[0], signal.SIGKILL)
        wait_for(lambda: len(pids(one)) == 2)
        started._requests.count = 1  # as Ctrl-C would

    thread = threading.Thread(target=kill_and_stop)
    thread.start()
    started.watch(restarted.append)
    thread.join()
    assert restarted == ["MLflow server"]
    assert len(pids(other)) == 1
    assert "MLflow server ended by signal 9: it is started again in 0.01 s; its log is " in shown.getvalue()
    assert started.log("MLflow server").read_text() == "runs\nruns\n", "what the first one said is kept"


def test_a_child_that_ends_again_and_again_ends_all(started, tmp_path, shown):
    started.start("worker", ["counting", str(tmp_path / "worker")])
    started.start("Prefect server", ["failing"])
    with pytest.raises(GanflowError, match=rf"Prefect server ended with status 3, for the {RESTARTS + 1}th time, so"):
        started.watch()
    assert shown.getvalue().count("it is started again in") == RESTARTS
    assert shown.getvalue().count("no port") == RESTARTS + 1, "its last words are shown"


def test_a_child_that_ends_while_everything_starts_ends_all_at_once(started, shown):
    started.start("Prefect server", ["failing"])
    with pytest.raises(GanflowError, match="Prefect server ended with status 3, so everything else was stopped"):
        started.wait("starting", lambda: False)
    assert "started again" not in shown.getvalue()
