"""One process at a time trains a run, whatever its machine and home: in a folder and on a real S3 server."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from urllib.request import Request, urlopen

import pytest

from gan.errors import InputError, ServiceError
from tasks.runtime.process_name import ProcessName
from tasks.runtime.settings import Settings
from tasks.train import lease
from tasks.train.lease import STALE_SECONDS, HeldError, training_lease


@pytest.fixture
def settings(tmp_path):
    return Settings(ganflow_home=tmp_path / "home", ganflow_storage=str(tmp_path / "storage"), mlflow_tracking_uri=None)


def leave(settings, *, age, **changes):
    """Write what a holder elsewhere wrote so many seconds ago."""
    folder = settings_folder(settings)
    folder.mkdir(parents=True)
    process = ProcessName("another", 7, 1.0)
    elsewhere = {"host": "far", "process": process.to_json(), "holds": True} | changes
    file = folder / "other.json"
    file.write_text(json.dumps(elsewhere))
    os.utime(file, (time.time() - age,) * 2)
    return file


def settings_folder(settings):
    return settings.ganflow_home.parent / "storage" / "run" / lease.FOLDER


def test_a_second_process_of_any_home_is_refused_by_name(settings, tmp_path):
    other_home = Settings(ganflow_home=tmp_path / "b", ganflow_storage=settings.ganflow_storage)
    with training_lease(settings, "run"):
        with pytest.raises(
            HeldError, match=rf"run run is being trained by process {os.getpid()} on .*: wait for its end"
        ):
            training_lease(other_home, "run").__enter__()
        with training_lease(other_home, "another run"):
            pass
    with training_lease(other_home, "run"):
        pass
    assert not list(settings_folder(settings).iterdir())


def test_a_storage_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    settings = Settings(ganflow_home=tmp_path, ganflow_storage=str(tmp_path / "file"), mlflow_tracking_uri=None)
    with pytest.raises(InputError, match=r"^the storage .*/file does not work \(.*\): correct GANFLOW_STORAGE"):
        training_lease(settings, "run").__enter__()


def test_one_of_another_machine_is_waited_for_until_it_is_stale(settings):
    file = leave(settings, age=STALE_SECONDS - 30)
    with pytest.raises(HeldError, match="process 7 on far"):
        training_lease(settings, "run").__enter__()
    os.utime(file, (time.time() - STALE_SECONDS - 5,) * 2)
    with training_lease(settings, "run"):
        assert not file.exists()


def test_a_dead_process_of_this_machine_lets_go_at_once(settings):
    leave(settings, age=0, process=replace(ProcessName.here(), started=1.0).to_json())
    with training_lease(settings, "run"):
        pass


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"host": 1}', "\x00", '{"host": "a", "process": "{}", "holds": true}']
)
def test_what_cannot_be_read_is_taken_for_a_holder(settings, content):
    leave(settings, age=0).write_text(content)
    with pytest.raises(HeldError, match="trained by another process"):
        training_lease(settings, "run").__enter__()


def test_a_claimant_that_only_asks_is_given_a_moment(settings):
    file = leave(settings, age=0, holds=False)
    threading.Timer(0.05, file.unlink).start()
    with training_lease(settings, "run"):
        pass


def test_of_many_that_come_at_once_never_two_have_it(settings, monkeypatch):
    inside, most, entered = 0, 0, 0
    counting = threading.Lock()
    monkeypatch.setattr(lease.random, "uniform", lambda low, high: 0.001)

    def claim(_number):
        nonlocal inside, most, entered
        with ExitStack() as stack:
            try:
                stack.enter_context(training_lease(settings, "run"))
            except InputError:
                return
            with counting:
                inside, entered = inside + 1, entered + 1
                most = max(most, inside)
            time.sleep(0.002)
            with counting:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(claim, range(200)))
    assert most == 1
    assert entered > 1


def test_who_was_not_seen_for_long_learns_that_the_run_was_taken(settings, monkeypatch):
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.02)
    told, came = [], threading.Event()
    with training_lease(settings, "run", lambda sentence: (told.append(sentence), came.set())):
        (own,) = settings_folder(settings).iterdir()
        os.utime(own, (time.time() - STALE_SECONDS - 5,) * 2)
        before = own.stat().st_mtime
        while own.stat().st_mtime == before:  # the heartbeat makes it young again
            time.sleep(0.01)
        own.unlink()
        assert came.wait(30)
    assert told == ["run run was taken over by another process while this one could not be seen"]


def test_who_writes_too_late_leaves_the_run_to_who_took_it_meanwhile(settings, monkeypatch):
    """Its own file is there again, for the write came after the other had removed it."""
    clock = iter([0.0, STALE_SECONDS + 1])
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease, "_seconds", lambda: next(clock))
    told, came = [], threading.Event()
    with training_lease(settings, "run", lambda sentence: (told.append(sentence), came.set())):
        (own,) = settings_folder(settings).iterdir()
        other = own.with_name("other.json")
        process = ProcessName("another", 7, 1.0)
        other.write_text(json.dumps({"host": "far", "process": process.to_json(), "holds": True}))
        assert came.wait(30)
        assert [file.name for file in own.parent.iterdir()] == ["other.json"]
    assert told == ["run run was taken over by another process while this one could not be seen"]
    assert other.exists()


S3_PROGRAM = """
import sys
from tasks.runtime.settings import Settings
from tasks.train.lease import training_lease
from gan.errors import InputError, ServiceError
try:
    with training_lease(Settings(), "run"):
        print("held", flush=True)
        sys.stdin.readline()
except InputError as error:
    print(error)
"""


@pytest.mark.integration
def test_an_object_store_serves_as_well(tmp_path):
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        urlopen(Request(f"http://{host}:{port}/bucket", method="PUT"), timeout=60).close()
        place = f"s3://bucket/runs?endpoint_override={host}:{port}&scheme=http"
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}
        environment = os.environ | keys | {"GANFLOW_STORAGE": place, "GANFLOW_HOME": str(tmp_path)}
        command = [sys.executable, "-c", S3_PROGRAM]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
        with subprocess.Popen(command, **pipes) as first:
            assert first.stdout.readline() == "held\n"
            refused = subprocess.run(command, input="", capture_output=True, text=True, env=environment, check=False)
            assert f"is being trained by process {first.pid} on" in refused.stdout, refused.stderr
            first.kill()
        taken = subprocess.run(command, input="\n", capture_output=True, text=True, env=environment, check=False)
        assert taken.stdout == "held\n", taken.stderr
    finally:
        server.stop()


def test_a_storage_that_is_away_at_first_is_asked_again_where_somebody_can_be_told(settings, monkeypatch):
    weather, said, put_for_real = [ConnectionError("no answer")] * 2, [], lease.RunStorage.put

    def put(storage, *what):
        if weather:
            raise weather.pop()
        put_for_real(storage, *what)

    monkeypatch.setattr(lease.RunStorage, "put", put)
    monkeypatch.setattr("tasks.runtime.patience.time.sleep", lambda seconds: None)
    with pytest.raises(ServiceError, match=r"storage .* does not answer"):
        training_lease(settings, "run").__enter__()
    assert len(weather) == 1
    with training_lease(settings, "run", on_warning=said.append):
        assert len(list(settings_folder(settings).iterdir())) == 1
    assert said == ["asking for the run did not work (no answer): it is tried again, 5 more times"]
