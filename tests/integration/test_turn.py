"""One retraining at a time, over all homes of an MLflow: on a real store (SQLite), with processes that are killed."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from tasks.runtime.process_name import ProcessName
from tasks.runtime.settings import Settings
from tasks.tracking.client import PROCESS, RETRAININGS, RunLog, client, create_run
from tasks.train import turn as module
from tasks.train.turn import ASKS, BEATS, HAS, HOST, MODEL, STATE, WAITS, turn

pytestmark = pytest.mark.integration
ELSEWHERE = ProcessName("another machine", 7, 1.0).to_json()


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return tmp_path_factory.mktemp("shared") / "mlflow.db"


@pytest.fixture
def homes(database, tmp_path, monkeypatch):
    """Two homes of one registry, whose model is this test's own."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    model, address = f"model-{uuid.uuid4().hex}", f"sqlite:///{database}"
    return [Settings(ganflow_home=tmp_path / name, mlflow_tracking_uri=address, ganflow_model=model) for name in "ab"]


def ignore(sentence):
    pass


def queued(settings, state, **tags):
    """A retraining that another process has begun before."""
    facts = {MODEL: settings.model, HOST: "far", STATE: state, BEATS: "1"} | tags
    log = create_run(settings, RETRAININGS, "other", facts)
    log.client.set_tag(log.run_id, PROCESS, tags.get(PROCESS, ELSEWHERE))
    return log


def status(log):
    return log.client.get_run(log.run_id).info.status


class Waiting:
    """A thread that waits for its turn, and keeps it until it is told to end."""

    def __init__(self, settings):
        self.said, self.mine, self.end = [], threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run, args=(settings,), daemon=True)
        self.thread.start()

    def run(self, settings):
        with turn(settings, self.said.append, ignore):
            self.mine.set()
            self.end.wait(60)

    def finish(self):
        self.end.set()
        self.thread.join(60)
        return self.mine.is_set() and not self.thread.is_alive()


@pytest.mark.parametrize("state", [WAITS, ASKS, HAS])
def test_one_that_was_there_before_is_waited_for_and_named_once(homes, state):
    first = queued(homes[0], state)
    waiting = Waiting(homes[1])
    assert not waiting.mine.wait(1)
    first.client.set_terminated(first.run_id, "FINISHED")
    assert waiting.mine.wait(60)
    assert waiting.finish()
    (said,) = waiting.said
    assert said.endswith(f"waited for: process 7 on far (run {first.run_id} of {RETRAININGS})")


def test_two_that_come_at_once_train_one_after_the_other(homes):
    inside, most, done = [], [], []

    def work(settings):
        with turn(settings, ignore, ignore):
            inside.append(settings)
            most.append(len(inside))
            time.sleep(0.2)
            inside.remove(settings)
        done.append(settings)

    threads = [threading.Thread(target=work, args=(home,)) for home in (*homes, homes[0])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert (most, len(done)) == ([1, 1, 1], 3)


def test_another_model_is_not_waited_for(homes, tmp_path):
    other = Settings(
        ganflow_home=tmp_path / "c", mlflow_tracking_uri=homes[0].tracking_uri, ganflow_model=f"{homes[0].model}-2"
    )
    queued(other, HAS)
    with turn(homes[0], ignore, ignore):
        pass


def test_a_heart_of_another_machine_that_beats_no_more_is_dead(homes, monkeypatch):
    monkeypatch.setattr(module, "STALE_SECONDS", 2.0)
    first = queued(homes[0], HAS)
    over = threading.Event()

    def beat():
        log = RunLog(client(homes[0]), first.run_id)
        for beats in range(2, 1000):
            if over.wait(0.2):
                return
            log.tags({BEATS: str(beats)})

    heart = threading.Thread(target=beat)
    heart.start()
    waiting = Waiting(homes[1])
    assert not waiting.mine.wait(5), "it lives"
    over.set()
    heart.join(60)
    assert waiting.mine.wait(60)
    assert waiting.finish()
    assert status(first) == "KILLED"


def test_one_that_was_taken_for_dead_and_lives_is_seen_again(homes, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.1)
    warned = threading.Event()
    with turn(homes[0], ignore, lambda sentence: warned.set()):
        opened = client(homes[0])
        experiment = opened.get_experiment_by_name(RETRAININGS).experiment_id
        (own,) = (run for run in opened.search_runs([experiment], f"tags.model = '{homes[0].model}'"))
        opened.set_terminated(own.info.run_id, "KILLED")
        assert warned.wait(60)
        waiting = Waiting(homes[1])
        assert not waiting.mine.wait(1)
    assert waiting.mine.wait(60)
    assert waiting.finish()
    assert opened.get_run(own.info.run_id).info.status == "FINISHED"


PROGRAM = """
import sys, time
from tasks.runtime.settings import Settings
from tasks.train.turn import turn
with turn(Settings(), lambda sentence: print(sentence, flush=True), print):
    print("mine", flush=True)
    time.sleep(float(sys.argv[1]))
"""


def start(settings, seconds):
    environment = os.environ | {
        "GANFLOW_HOME": str(settings.home),
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "GANFLOW_MODEL": settings.model,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    settings.home.mkdir(exist_ok=True)
    command = [sys.executable, "-c", PROGRAM, str(seconds)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_ones_let_the_next_go_on_whether_they_have_the_turn_or_wait_for_it(homes):
    with start(homes[0], 600) as first:
        assert first.stdout.readline() == "mine\n"
        with start(homes[1], 600) as second:
            assert f"process {first.pid} on " in second.stdout.readline()
            with start(homes[0], 0) as third:
                assert f"process {first.pid} on " in third.stdout.readline()
                second.send_signal(signal.SIGKILL)
                second.wait()
                first.send_signal(signal.SIGKILL)
                first.wait()
                assert third.stdout.read() == "mine\n"
                assert third.wait() == 0
