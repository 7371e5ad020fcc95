"""The exported program in a process that cannot import this project, as its users load it."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator, export_program
from gan.networks.build import build_generator

pytestmark = pytest.mark.integration

CHILD = """
import sys
for name in ("gan", "tasks", "flows"):
    sys.modules[name] = None
import torch
program = torch.export.load(sys.argv[1]).module()
rows = torch.tensor([[0, -1], [1, 2], [2**40 + 1, -1], [-5, 0]], dtype=torch.int64)
sys.stdout.buffer.write(program(rows).numpy().tobytes())
assert not any(name.split(".")[0] in ("gan", "tasks", "flows") and module for name, module in sys.modules.items())
"""


def test_a_process_without_this_project_gets_the_same_images(tmp_path):
    torch.manual_seed(0)
    network = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
    program = export_program(SeededGenerator(build_generator(network, channels=3, num_classes=3)))
    path = tmp_path / "generator.pt2"
    torch.export.save(program, path)
    # Weights are raw bytes; what is left of pickle in the format is the example input, which loads as tensors alone.
    pickled = [name for name in zipfile.ZipFile(path).namelist() if name.endswith((".pkl", ".pt"))]
    assert [name.split("/", 1)[1] for name in pickled] == ["data/sample_inputs/model.pt"]
    found = subprocess.run(
        [sys.executable, "-I", "-c", CHILD, str(path)], cwd=tmp_path, capture_output=True, timeout=120, check=False
    )
    assert found.returncode == 0, found.stderr.decode()
    inputs = torch.tensor([[0, -1], [1, 2], [2**40 + 1, -1], [-5, 0]])
    images = np.frombuffer(found.stdout, dtype=np.uint8).reshape(4, 8, 8, 3)
    # Threads may be another number there: one grey level is what is promised.
    assert np.abs(images.astype(int) - program.module()(inputs).numpy()).max() <= 1
