"""What the command is held against: the same marks, and speeds that are of images and not of marks."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def bench(benchmark_module):
    return benchmark_module("overhead")


def test_a_speed_is_of_images_between_the_first_and_the_last_mark(bench):
    # 100 images in 1 s and 300 in 1.5 s; how long the first 50 took says nothing of the speed
    assert bench.speed([(50, 1.0), (150, 100.0), (450, 200.0)]) == pytest.approx(400 / 2.5)


def test_both_wants_are_judged_by_medians(bench):
    # the first half is the start, in which others load their libraries
    full, nearly, slow = ([(0, 1.0), (100, 10.0), (200, 10.0), (300, rate)] for rate in (100.0, 98.0, 90.0))

    def run(seconds, marks):
        return bench.Run(seconds, marks)

    loop = [run(10.0, full)] * 3
    good = bench.figures({bench.A: [run(30.0, nearly), run(50.0, slow), run(35.0, full)], bench.B: loop})
    assert list(good["met"].values()) == [True, True]
    assert good["seconds_more"][bench.A]["median"] == 25.0
    bad = bench.figures({bench.A: [run(30.0, slow), run(50.0, slow), run(36.0, full)], bench.B: loop})
    assert list(bad["met"].values()) == [False, False]


def test_the_bare_loop_trains_as_the_command_is_told_to(bench, tmp_path):
    for index, image in enumerate(np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)):
        path = tmp_path / "data" / "train" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    options = ["--preset", "debug", "--set", "train.total_kimg=0.256", "--set", "train.log_kimg=0.064"]
    assert bench.configured(options).train.total_kimg == 0.256
    run = bench.by_loop(tmp_path, options, 1)
    assert [mark for mark, _ in run.marks] == [64, 128, 192, 256]
    assert min(rate for _, rate in run.marks) > 0
    assert run.seconds > sum(64 / rate for _, rate in run.marks)
