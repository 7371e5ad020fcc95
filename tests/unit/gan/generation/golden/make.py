"""Make the golden programs beside this file, as in `python tests/unit/gan/generation/golden/make.py`.

Only for a new format of programs, under new names: those that are there are what users have registered. They were made
with PyTorch 2.13.0.
"""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import torch

from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator, export_program
from gan.generation.onnx_file import check_rows, write_onnx
from gan.generation.program_file import forget_places
from gan.networks.build import build_generator

HERE = Path(__file__).parent
SMALL = {"widths": (8, 8), "latent_dim": 4, "embedding_dim": 4}
# by name: network, channels, classes
MODELS = {
    "dcgan-1": (NetworkConfig(architecture="dcgan", **SMALL), 1, 3),
    "dcgan-2": (NetworkConfig(architecture="dcgan", **SMALL), 1, 3),
    "r3gan-1": (NetworkConfig(group_width=4, expansion=1, **SMALL), 3, 0),
}


def new_generator(name: str) -> SeededGenerator:
    """A generator of the golden's architecture, with random weights of about those sizes that training leaves."""
    network, channels, num_classes = MODELS[name]
    torch.manual_seed(0)
    G = build_generator(network, channels=channels, num_classes=num_classes)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    G(torch.randn(50, 4), torch.arange(50) % max(num_classes, 1))  # running statistics of batch normalisation
    return SeededGenerator(G)


def make(name: str, folder: Path) -> None:
    """Write a program, the same as ONNX, and what it draws."""
    with tempfile.TemporaryDirectory() as scratch:
        program_file, onnx_file = Path(scratch) / "model.pt2", Path(scratch) / "model.onnx"
        torch.export.save(export_program(new_generator(name)), program_file)
        program = forget_places(program_file)
        write_onnx(program, onnx_file)
        for file in (program_file, onnx_file):
            (folder / f"{name}{file.suffix}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))
    rows = check_rows(MODELS[name][2])
    np.savez_compressed(folder / f"{name}.npz", rows=rows.numpy(), images=program.module()(rows).numpy())


if __name__ == "__main__":
    for each in MODELS:
        if not (HERE / f"{each}.npz").exists():
            make(each, HERE)
