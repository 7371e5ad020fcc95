"""Workers that are timed take the steps that a training takes, and what is told of them adds up."""

import io
import json
import subprocess
import sys

import pytest

from gan.configuration.config import TrainConfig
from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import preset


@pytest.fixture(scope="session")
def bench(benchmark_module):
    return benchmark_module("scaling")


@pytest.mark.slow
def test_it_runs(bench):
    done = subprocess.run([sys.executable, bench.__file__, "--quick"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["img_per_s"]) == set(bench.SIDES) == set(found["cpu_s_per_kimg"])
    assert all(each["min"] > 0 for each in found["img_per_s"].values())
    assert 0 < found["all_reduce_share"]["median"] < 1
    assert len(found["ratio"]["each"]) == 2


def test_a_worker_takes_the_steps_of_every_line_that_it_is_given(bench, monkeypatch, capsys):
    taken, step = [], bench.Step.__call__
    monkeypatch.setattr(bench.Step, "__call__", lambda self, *given: taken.append(given[-1]) or step(self, *given))
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n2\n"))
    config = apply_overrides(preset("debug"), ["train.batch_size=4", "network.widths=[8,8]"])
    bench.work(config, 0, 1, 1, "nowhere")
    turns = [bench.Turn(**json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert len(turns) == 2
    assert all(each.seconds > 0 < each.cpu and each.waited == 0 for each in turns)
    assert taken == [0, 4, 8]


def test_figures_are_of_images_and_of_the_median(bench):
    two = [bench.Turn(2.0, 3.0, 0.5), bench.Turn(1.0, 3.0, 0.5), bench.Turn(4.0, 3.0, 0.5)]
    turns = {bench.A: two, bench.B: [bench.Turn(1.8, 3.2, 0.0)] * 3, bench.C: [bench.Turn(4.0, 4.0, 0.0)] * 3}
    found = bench.figures(preset("debug"), 10, turns)
    assert found["img_per_s"][bench.A]["each"] == [160.0, 320.0, 80.0]
    assert found["ratio"]["median"] == 0.9
    assert list(found["met"].values()) == [True]
    assert found["ratio_to_one_thread"]["median"] == 2.0
    assert found["all_reduce_share"]["median"] == 0.25
    assert found["cpu_s_per_kimg"][bench.A]["median"] == pytest.approx(1000 * 3.0 / 320, rel=1e-3)


def test_rounds_in_which_others_worked_are_left_out_if_enough_remain(bench):
    def turns(*others):
        return {
            bench.A: [bench.Turn(1.0, 2.0, 0.0, share) for share in others],
            bench.B: [bench.Turn(2.0, 2.0, 0.0)] * len(others),
            bench.C: [bench.Turn(2.0, 2.0, 0.0)] * len(others),
        }

    found = bench.figures(preset("debug"), 10, turns(0.0, 0.5, 0.05, 0.1))
    assert found["rounds"] == len(found["ratio"]["each"]) == 3
    assert [each["others"] for each in found["all_rounds"][bench.A]] == [0.0, 0.5, 0.05, 0.1]
    assert bench.figures(preset("debug"), 10, turns(0.0, 0.5, 0.05))["rounds"] == 3
    before = bench.busy_seconds()
    sum(range(3_000_000))
    assert bench.busy_seconds() > before


def test_bytes_are_those_of_both_networks_gradients(bench):
    config = preset("debug")

    def of(**changes):
        return bench.gradient_bytes(config.model_copy(update={"train": TrainConfig(**changes)}))

    assert of(reduce_precision="bf16") * 2 == of()
    assert of(generator_every=10) < of()
