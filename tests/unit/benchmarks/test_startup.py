"""CPU time is that of the process alone, and a limit holds for all commands of its kind or not at all."""

import os
import sys

import pytest


@pytest.fixture(scope="session")
def bench(benchmark_module):
    return benchmark_module("startup")


def test_medians_are_judged_above_what_they_are_compared_with(bench):
    seconds = {
        bench.NOTHING: [0.1, 0.1, 0.9],
        bench.TORCH: [2.0, 2.0, 2.0],
        "--help": [0.4, 0.3, 0.2],
        "presets": [1.2, 1.2, 0.1],
        "dataset log": [0.5, 0.5, 0.5],
        "compare a b": [4.0, 3.0, 4.0],
    }
    kinds = dict.fromkeys(seconds, "") | {
        "--help": "help",
        "presets": "configuration",
        "dataset log": "configuration",
        "compare a b": "compare",
    }
    found = bench.summary(seconds, kinds)
    assert list(found["met"].values()) == [True, False, True]
    assert found["above_s"]["compare a b"] == {bench.TORCH: 2.0}
    assert found["cpu_s"]["--help"] == {"median": 0.3, "min": 0.2, "max": 0.4}


def test_work_counts_and_waiting_does_not(bench, tmp_path):
    def seconds(program):
        return bench.cpu_seconds(bench.Command((sys.executable, "-c", program)), os.environ, tmp_path)

    work = "import time\nwhile time.process_time() < 1.5: pass"
    assert seconds(work) > 1.5 > seconds("import time; time.sleep(1.5)")


def test_a_command_that_ends_otherwise_stops_the_benchmark(bench, tmp_path):
    wrong = bench.Command((sys.executable, "-c", "import sys; sys.exit('no such thing')"), status=2)
    with pytest.raises(SystemExit, match="ended with 1: no such thing"):
        bench.cpu_seconds(wrong, os.environ, tmp_path)


def test_verbs_are_compared_with_what_a_limit_names(bench, tmp_path):
    found = bench.commands(tmp_path, None)
    assert {base for _, base in bench.LIMITS.values()} <= set(found)
    assert {command.kind for command in found.values()} == {"", *bench.LIMITS} - {"sample"}
    (tmp_path / "mlflow.db").touch()
    assert "dataset log, after a change" in bench.commands(tmp_path, None)
