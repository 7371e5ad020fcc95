import os
import secrets
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tasks.runtime import guardian
from tasks.runtime.guardian import MARK, stop_tree

SLEEP = "import time; time.sleep(600)"
# A parent with a child of another session, as Ray's daemons are; it says when the child is there.
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def start():
    started = []

    def start_program(program):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        return process, process.stdout.readline().decode().strip()

    yield start_program
    for process in started:
        process.kill()
        process.communicate()


def test_a_tree_is_stopped_with_what_left_its_session(start):
    parent, child_pid = start(PARENT)
    child = psutil.Process(int(child_pid))
    stop_tree(psutil.Process(parent.pid), grace=10)
    assert parent.wait(timeout=10) == -signal.SIGTERM
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_what_ignores_term_is_killed(start):
    process, _ = start(STUBBORN)
    stop_tree(psutil.Process(process.pid), grace=0.2)
    assert process.wait(timeout=10) == -signal.SIGKILL


def test_in_a_hurry_nothing_is_waited_for(start):
    process, _ = start(STUBBORN)
    stop_tree(psutil.Process(process.pid), grace=600, hurry=lambda: True)
    assert process.wait(timeout=10) == -signal.SIGKILL


def test_the_program_stops_what_it_was_told_and_did_not_forget_when_its_input_ends(start, tmp_path):
    stopped, _ = start(f"print(flush=True); {SLEEP}")
    forgotten, _ = start(f"print(flush=True); {SLEEP}")
    leftover = tmp_path / "up.json"
    leftover.touch()
    told = f"{stopped.pid}\n{forgotten.pid}\n-{forgotten.pid}\n".encode()
    subprocess.run([sys.executable, "-P", guardian.__file__, "mark", str(leftover)], input=told, check=True, timeout=60)
    assert stopped.wait(timeout=10) == -signal.SIGTERM
    assert forgotten.poll() is None
    assert not leftover.exists()


def test_marked_processes_are_stopped_and_what_they_started(start):
    mark = secrets.token_hex(8)
    environment = {**os.environ, MARK: f"another:{mark}"}
    command = [sys.executable, "-c", PARENT.replace("start_new_session=True", "start_new_session=True, env={}")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        stranger, _ = start(f"print(flush=True); {SLEEP}")
        guardian.sweep(mark)
        assert parent.wait(timeout=10) == -signal.SIGTERM
    assert not guardian.is_running(child)
    assert stranger.poll() is None


def test_what_it_has_looked_at_is_found_without_mark_and_parent(start):
    mark = secrets.token_hex(8)
    command = [sys.executable, "-c", PARENT.replace("start_new_session=True", "start_new_session=True, env={}")]
    environment = {**os.environ, MARK: mark}
    with (
        subprocess.Popen([sys.executable, "-P", guardian.__file__, mark], stdin=subprocess.PIPE) as watching,
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True) as parent,
    ):
        child = psutil.Process(int(parent.stdout.readline()))
        watching.stdin.write(b"look\n")
        watching.stdin.flush()
        time.sleep(1)  # nothing says when it has looked
        parent.kill()
        parent.wait()
        watching.stdin.close()
        watching.wait(timeout=60)
    assert not guardian.is_running(child)
