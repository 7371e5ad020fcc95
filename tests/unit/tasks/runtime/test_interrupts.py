"""A process that is interrupted while it works, cleans up, hangs, or has handed its signals to a library."""

import signal
import subprocess
import sys

import psutil
import pytest

BEGIN = """
import os, signal, subprocess, sys, time
from tasks.runtime.interrupts import interruptible
from tasks.runtime.guard import guard
from tasks.runtime.stopping import last_act, said_if_stopped

def work(seconds=600):
    print("ready", flush=True)
    time.sleep(seconds)
"""
BUSY = """
with interruptible():
    with said_if_stopped("outer"), said_if_stopped("the same command goes on"):
        try:
            work()
        except KeyboardInterrupt:
            print("noise while cleaning up", file=sys.stderr)
            raise
"""
SWALLOWING = """
with interruptible(), last_act(lambda: open(sys.argv[1], "w").close()):
    while True:
        try:
            work()
        except KeyboardInterrupt:
            continue
"""
HANDED_OVER = """
with interruptible():
    signal.signal(signal.SIGINT, lambda *given: None)
    signal.signal(signal.SIGTERM, lambda *given: None)
    work()
"""
WITH_A_CHILD = """
with interruptible():
    guard()
    child = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
    subprocess.Popen(child, start_new_session=True)
    time.sleep(600)
"""
LEAVING = """
from tasks.runtime.stopping import time_to_leave
with interruptible():
    try:
        work()
    except KeyboardInterrupt:
        with time_to_leave():
            time.sleep(5)  # longer than without it
            open(sys.argv[1], "w").close()
        raise
"""
DONE = """
with interruptible():
    pass
work()
"""
STANDS = "ganflow: interrupted: what was finished stands, and the same command can be given again\n"


@pytest.fixture
def start():
    started = []

    def start_program(program, *arguments):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen([sys.executable, "-c", BEGIN + program, *arguments], **pipes, text=True)
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start_program
    for process in started:
        process.kill()
        process.communicate()


def ended(process):
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_a_signal_is_one_sentence_that_says_how_to_go_on(start, number, status):
    process, _ = start(BUSY)
    process.send_signal(number)
    assert ended(process) == (status, "ganflow: interrupted: the same command goes on\n")


@pytest.mark.parametrize(
    ("number", "status", "left"), [(signal.SIGTERM, 143, True), (signal.SIGINT, 130, False)], ids=str
)
def test_what_is_left_to_do_is_waited_for_unless_somebody_waits_at_a_terminal(start, tmp_path, number, status, left):
    process, _ = start(LEAVING, str(tmp_path / "left"))
    process.send_signal(number)
    assert ended(process) == (status, STANDS)
    assert (tmp_path / "left").exists() is left


def test_a_library_that_swallows_the_interruption_does_not_keep_the_process(start, tmp_path):
    process, _ = start(SWALLOWING, str(tmp_path / "last-act"))
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, STANDS)
    assert (tmp_path / "last-act").exists()


def test_a_second_ctrl_c_waits_for_nothing(start, tmp_path):
    process, _ = start(SWALLOWING, str(tmp_path / "last-act"))
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "", "from here on nothing is shown"
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, STANDS)
    assert not (tmp_path / "last-act").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_a_library_with_handlers_of_its_own_does_not_keep_the_process(start, number, status):
    process, _ = start(HANDED_OVER)
    process.send_signal(number)
    assert ended(process) == (status, STANDS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=str)
def test_a_child_that_left_its_session_does_not_outlive_the_command(start, number):
    process, pid = start(WITH_A_CHILD)
    child = psutil.Process(int(pid))
    process.send_signal(number)
    process.wait(timeout=60)
    gone, _ = psutil.wait_procs([child], timeout=60)
    assert gone == [child]


def test_after_the_block_a_signal_ends_without_a_word(start):
    process, _ = start(DONE)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "")


def test_what_the_caller_ignores_stays_ignored():
    program = f"{BEGIN}\nwith interruptible():\n    os.kill(os.getpid(), signal.SIGHUP)\nprint('on')"
    command = [sys.executable, "-c", program]
    begin = "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    ignoring = f"{begin}; os.execv({sys.executable!r}, {command})"
    done = subprocess.run([sys.executable, "-c", ignoring], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")
