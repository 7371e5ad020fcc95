"""What a worker wrote, as the process that wrote it sends it on."""

import subprocess
import sys

from tasks.train.worker_log import WorkerLog

PROGRAM = """
import os, sys
from tasks.train import worker_log
worker_log.MOST_BYTES = 100
print("x" * 500, flush=True)
print("first line", flush=True)
os.write(2, b"token=hunter2 at https://user:hunter2@example.org/a \\xff\\n")
with open(sys.argv[1], "w") as file:
    file.write(worker_log.own_output())
"""


def test_the_end_of_both_outputs_without_secrets(tmp_path):
    told = tmp_path / "told"
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        subprocess.run([sys.executable, "-c", PROGRAM, str(told)], stdout=out, stderr=err, check=True)
    text = told.read_text()
    assert "first line" in text
    assert text.count("x") < 100
    assert "example.org/a" in text
    assert "hunter2" not in text


def test_one_file_for_both_is_told_once(tmp_path):
    told = tmp_path / "told"
    with (tmp_path / "both").open("wb") as both:
        subprocess.run([sys.executable, "-c", PROGRAM, str(told)], stdout=both, stderr=both, check=True)
    assert told.read_text().count("example.org") == 1


def test_without_a_file_there_is_nothing(tmp_path):
    told = tmp_path / "told"
    subprocess.run([sys.executable, "-c", PROGRAM, str(told)], capture_output=True, check=True)
    assert told.read_text() == ""


def test_what_a_worker_that_failed_wrote_has_a_name_of_its_own():
    assert WorkerLog(0, "", failed=False).name == "logs/worker-0.log"
    assert WorkerLog(3, "", failed=True).name == "logs/failed-worker-3.log"
