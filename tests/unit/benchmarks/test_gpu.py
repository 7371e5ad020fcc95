"""The script for a card runs its parts, ends those that take too long with all that they started, and goes on later."""

import json
import os
import sys
import time

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


def test_every_part_is_a_command_of_this_project(bench, tmp_path):
    for each in bench.parts(tmp_path):
        script = each.command[1]
        assert script == "-m" or os.path.exists(script)
        assert each.of in {"tests", "step", "quality"}
