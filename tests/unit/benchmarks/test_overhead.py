"""What the command is held against: the same marks, and speeds that are of images and not of marks."""

import json
import subprocess
import sys

import numpy as np
import pytest

from gan.data.image_sets.image_set import open_image_set


@pytest.fixture(scope="session")
def bench(benchmark_module):
    return benchmark_module("overhead")


def test_a_speed_is_of_images_between_the_first_and_the_last_mark(bench):
    # 100 images in 1 s and 300 in 1.5 s; how long the first 50 took says nothing of the speed
    assert bench.speed([(50, 1.0), (150, 100.0), (450, 200.0)]) == pytest.approx(400 / 2.5)


def test_both_wants_are_judged_by_medians(bench):
    marks = [(0, 1.0), (100, 100.0)], [(0, 1.0), (100, 98.0)], [(0, 1.0), (100, 90.0)]
    full, nearly, slow = marks

    def run(seconds, marks):
        return bench.Run(seconds, marks)

    loop = [run(10.0, full)] * 3
    good = bench.figures({bench.A: [run(30.0, nearly), run(50.0, slow), run(35.0, full)], bench.B: loop})
    assert list(good["met"].values()) == [True, True]
    assert good["seconds_more"][bench.A]["median"] == 25.0
    bad = bench.figures({bench.A: [run(30.0, slow), run(50.0, slow), run(36.0, full)], bench.B: loop})
    assert list(bad["met"].values()) == [False, False]


def test_the_bare_loop_trains_as_the_command_is_told_to(bench, ganflow):
    status, out, err = ganflow("ingest", "digits", "--preset", "debug", "--json")
    assert status == 0, err
    home = bench.Path(json.loads(out)["path"]).parent
    options = ["--preset", "debug", "--set", "train.total_kimg=0.256", "--set", "train.log_kimg=0.064"]
    assert bench.configured(options).train.total_kimg == 0.256
    done = subprocess.run([sys.executable, bench.__file__, "--bare", str(home), "1", *options], capture_output=True)
    assert done.returncode == 0, done.stderr
    marks = json.loads(done.stdout)
    assert [mark for mark, _ in marks] == [64, 128, 192, 256]
    assert np.all(np.array(marks) > 0)
    assert len(open_image_set(home / "data").labels) > 256
