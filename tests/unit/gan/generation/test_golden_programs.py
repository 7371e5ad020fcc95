"""Programs that were made with PyTorch 2.13.0: whatever is installed now loads them and draws the same images."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from gan.generation.export import SeededGenerator
from gan.generation.program_file import load_program_file
from gan.networks.build import build_generator

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("dcgan-1", "dcgan-2", "r3gan-1")


@pytest.fixture(params=NAMES)
def golden(request, tmp_path):
    """The name, a folder with `model.pt2` and `model.onnx`, rows and images."""
    for file in ("model.pt2", "model.onnx"):
        packed = (GOLDEN / f"{request.param}{Path(file).suffix}.gz").read_bytes()
        (tmp_path / file).write_bytes(gzip.decompress(packed))
    drawn = np.load(GOLDEN / f"{request.param}.npz")
    return request.param, tmp_path, drawn["rows"], drawn["images"]


def check_equal(found, images):
    """To one grey level, which is what processors differ by."""
    assert (found.dtype, found.shape) == (np.uint8, images.shape)
    assert np.abs(found.astype(int) - images).max() <= 1
    assert images.std() > 10


def test_a_program_of_before_draws_its_images(golden):
    _, folder, rows, images = golden
    check_equal(load_program_file(folder / "model.pt2")(torch.from_numpy(rows)).numpy(), images)
    program = torch.export.load(folder / "model.pt2").module()
    check_equal(np.concatenate([program(torch.from_numpy(row[None])).numpy() for row in rows]), images)


def test_an_onnx_file_of_before_draws_the_same(golden):
    _, folder, rows, images = golden
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    check_equal(session.run(["images"], {"seed_label": rows})[0], images)


def test_the_code_of_today_draws_the_same_from_those_weights(golden):
    name, folder, rows, images = golden
    spec = importlib.util.spec_from_file_location("make_golden", GOLDEN / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    network, channels, num_classes = make.MODELS[name]
    G = build_generator(network, channels=channels, num_classes=num_classes)
    weights = torch.export.load(folder / "model.pt2").state_dict
    if name == "dcgan-1":  # of before normalisations were folded into the weights
        G.load_state_dict({key.removeprefix("G."): value for key, value in weights.items()})
        generator = SeededGenerator(G)
    else:
        generator = SeededGenerator(G)
        generator.load_state_dict(weights)
    check_equal(generator(torch.from_numpy(rows)).numpy(), images)


def test_golden_files_stay_small():
    assert sum(each.stat().st_size for each in GOLDEN.glob("*.*z")) < 200_000
