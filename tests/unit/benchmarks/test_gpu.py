"""The script for a card runs its parts, ends those that take too long with all that they started, and goes on later."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def bench(benchmark_module):
    return benchmark_module("gpu")


def part(bench, code, seconds=60.0):
    return bench.Part("one", (sys.executable, "-c", code), seconds, "step")


def test_what_a_part_prints_last_is_kept(bench, tmp_path):
    code = "import sys, json; print('progress', file=sys.stderr); print('a line'); print(json.dumps({'img': 3}))"
    found = bench.run(part(bench, code), tmp_path, 60)
    assert (found["finished"], found["status"], found["found"]) == (True, 0, {"img": 3})
    assert "progress" in (tmp_path / "one.log").read_text()


def test_a_part_that_fails_is_not_finished_and_what_it_said_is_kept(bench, tmp_path):
    found = bench.run(part(bench, "print('no room'); raise SystemExit(3)"), tmp_path, 60)
    assert (found["finished"], found["status"], found["said"]) == (False, 3, ["no room"])


def test_a_part_that_takes_too_long_ends_with_all_that_it_started(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "GRACE_SECONDS", 0.5)
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    found = bench.run(part(bench, code), tmp_path, 3)
    assert (found["finished"], found["status"]) == (False, None)
    child = int(found["found"])
    for _ in range(100):  # until whoever takes in orphans has done so
        if not os.path.exists(f"/proc/{child}"):
            break
        time.sleep(0.1)
    else:
        pytest.fail("its child goes on")


def test_what_is_finished_is_left_out_the_next_time(bench, tmp_path):
    one = part(bench, "")
    assert not bench.finished(tmp_path, one)
    for record, wanted in (({"finished": False}, False), ({"finished": True}, True)):
        (tmp_path / "one.json").write_text(json.dumps(record))
        assert bench.finished(tmp_path, one) is wanted
    (tmp_path / "one.json").write_text("half a rec")
    assert not bench.finished(tmp_path, one)


@pytest.mark.parametrize("rehearse", [False, True])
def test_every_part_is_a_command_of_this_project(bench, tmp_path, rehearse):
    found = bench.parts(tmp_path, rehearse=rehearse)
    for each in found:
        script = each.command[1]
        assert script == "-m" or os.path.exists(script)
    assert list(dict.fromkeys(each.of for each in found)) == list(bench.PARTS)


def test_the_tests_are_those_for_a_card_alone(bench):
    names = {os.path.basename(path) for path in bench.tests_for_a_gpu()}
    assert "test_step_gpu.py" in names
    assert "test_loop.py" not in names


def test_a_part_is_left_out_where_something_is_missing_and_what_it_is_is_said(bench, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GANFLOW_INCEPTION_WEIGHTS", str(tmp_path / "none"))
    needs = {"needs": ("no_such_module", "json"), "weighs": True}
    one = bench.Part("one", (sys.executable, "-c", "print(1)"), 60, "feed", **needs)
    two = replace(one, name="two", needs=(), weighs=False)
    monkeypatch.setattr(bench, "parts", lambda out, rehearse: [one, two])
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--rehearse", "--out", str(tmp_path)])
    bench.main()
    told = capsys.readouterr()
    assert "one is left out, for there is no no_such_module and no Inception's weights (GANFLOW_INC" in told.err
    assert "two: finished after" in told.err
    records = {each["part"]: each for each in json.loads(told.out.splitlines()[-1])["parts"]}
    assert (records["one"]["finished"], records["two"]["finished"], records["two"]["found"]) == (False, True, 1)
    assert records["one"]["missing"][0] == "no_such_module"


def test_without_weights_images_are_drawn_and_not_judged(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("GANFLOW_INCEPTION_WEIGHTS", str(tmp_path / "none"))
    assert "--train-only" in next(each for each in bench.parts(tmp_path) if each.name == "quality").command
    (tmp_path / "none").write_bytes(b"")
    assert "--train-only" not in next(each for each in bench.parts(tmp_path) if each.name == "quality").command


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_rehearsal_runs_every_part(tmp_path):
    """All but the tests, which need a card, and what needs a set that nobody has prepared here."""
    command = [sys.executable, "benchmarks/gpu.py", "--rehearse", "--out", str(tmp_path), "--parts", "feed", "step"]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    parts = json.loads(done.stdout.splitlines()[-1])["parts"]
    wanted = dict.fromkeys(["feed", "step-cifar10", "step-r3gan-32", "step-r3gan-64"], True)
    assert {each["part"]: each["finished"] for each in parts} == wanted, done.stderr
    assert all("found" in each for each in parts)
