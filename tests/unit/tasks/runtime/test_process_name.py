"""Whether the process that something belongs to still lives."""

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.runtime.process_name import ProcessName

PROGRAM = "from tasks.runtime.process_name import ProcessName as P; print(P.here().to_json(), flush=True); input()"


def test_another_process_is_seen_to_live_and_to_die():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], **pipes) as process:
        name = ProcessName.parse(process.stdout.readline())
        assert name.pid == process.pid
        assert not name.is_dead
        assert replace(name, started=name.started - 60).is_dead, "the number was another process's before"
        process.kill()
        while process.poll() is None and not name.is_dead:
            pass
    assert name.is_dead
    assert not replace(name, machine="another").is_dead


@pytest.mark.parametrize("pid", [0, -1, 2**31, 2**70])
def test_a_number_that_no_process_has_is_dead(pid):
    assert replace(ProcessName.here(), pid=pid, started=1.0).is_dead


@given(st.text() | st.binary())
def test_anything_is_read_or_refused(text):
    found = ProcessName.parse(text)
    assert found is None or ProcessName.parse(found.to_json()) == found
