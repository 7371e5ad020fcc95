"""What the benchmark of releases says of its rates, and that both ways make what they should."""

import importlib
import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def bench():
    return importlib.import_module("generate")  # by the name under which processes of its own find it


def test_ratios_are_taken_round_by_round(bench):
    rates = {"ganflow": [90.0, 40.0], "Ray Data": [30.0, 10.0], "G": [100.0, 50.0], "encoding": [900.0, 450.0]}
    found = bench.shown(rates)
    assert found["ratio"] == {"median": 3.5, "min": 3.0, "max": 4.0, "each": [3.0, 4.0]}
    assert found["share_of_the_slower"]["each"] == [0.9, 0.8]
    assert found["share_of_both"]["each"] == [1.0, 0.8889]
    assert found["met"] == {"ratio >= 3.0": True, "share >= 0.85": True}


@pytest.fixture(scope="module")
def content(bench):
    return bench.program_file("debug")


def test_both_ways_draw_the_same_images(bench, content, tmp_path):
    assert bench.ours(content, "bf16", 20, tmp_path) > 0
    drawn = bench.Actor(content)({"id": np.arange(5)})
    pictures = [np.asarray(Image.open(io.BytesIO(png))) for png in drawn["image"]]
    assert [picture.shape for picture in pictures] == [(16, 16)] * 5
    assert drawn["label"].tolist() == drawn["seed"].tolist() == list(range(5))
    assert min(rate(content, "fp32", bench.BATCH) for rate in (bench.drawing_rate, bench.encoding_rate)) > 0


@pytest.mark.slow
def test_program_and_encoding_alone_have_a_process_for_each_core(bench, content):
    assert min(bench.bare(content, "fp32", 500)) > 0
