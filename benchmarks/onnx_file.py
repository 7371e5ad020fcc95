"""What `model.onnx` adds to a registration: seconds, bytes, grey levels beside the program's; prints one JSON object.

A exports the program, which every registration does; B writes it as ONNX and compares the two. CPU seconds hold still
on a shared machine.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from gan.configuration.presets import preset
from gan.generation.export import SeededGenerator, export_program
from gan.generation.onnx_file import check_rows, onnx_difference, write_onnx
from gan.keyed_random import Purpose, normal
from gan.networks.build import build_generator

# preset, channels, classes
MODELS = (("digits", 1, 10), ("dcgan-64", 3, 0), ("r3gan-64", 3, 0))
SEEDS, LATENT = 100_000, 128


class Noise(torch.nn.Module):
    """z alone."""

    def forward(self, asked: torch.Tensor) -> torch.Tensor:
        """Return z [N, 128] of rows (seed, label)."""
        return normal(asked[:, 0], Purpose.LATENT, LATENT)


def timed(work) -> tuple[object, dict[str, float]]:
    """What a call returns, and its seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    made = work()
    return made, {"cpu": round(time.process_time() - cpu, 2), "wall": round(time.perf_counter() - wall, 2)}


def registration(name: str, channels: int, num_classes: int, folder: Path) -> dict[str, object]:
    """The steps of one registration, with the random weights that a training begins with."""
    network = preset(name).network
    torch.manual_seed(0)
    generator = SeededGenerator(build_generator(network, channels=channels, num_classes=num_classes))
    program, export = timed(lambda: export_program(generator))
    _, write = timed(lambda: write_onnx(program, folder / "model.onnx"))
    apart, compare = timed(lambda: onnx_difference(folder / "model.onnx", program, check_rows(num_classes)))
    torch.export.save(program, folder / "model.pt2")
    sizes = {each: (folder / each).stat().st_size for each in ("model.pt2", "model.onnx")}
    return {"export_s": export, "write_s": write, "compare_s": compare, "grey_levels": apart, "bytes": sizes}


def noise_bits(folder: Path) -> dict[str, int]:
    """How many values of z are other bits in ONNX Runtime than in PyTorch."""
    batch = torch.export.Dim("batch", min=1)
    example = torch.zeros(2, 2, dtype=torch.int64)
    write_onnx(torch.export.export(Noise(), (example,), dynamic_shapes=({0: batch},)), folder / "noise.onnx")
    session = onnxruntime.InferenceSession(folder / "noise.onnx", providers=["CPUExecutionProvider"])
    rows = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (SEEDS, 2))
    found = session.run(None, {"seed_label": rows})[0]
    differ = found.view(np.int32) != Noise()(torch.from_numpy(rows)).numpy().view(np.int32)
    return {"values": differ.size, "differ": int(differ.sum())}


def main() -> None:
    """Print what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        found = {name: registration(name, *shape, Path(folder)) for name, *shape in MODELS}
        bits = noise_bits(Path(folder))
    versions = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__}
    print(json.dumps({"benchmark": "onnx_file", "presets": found, "z": bits, **versions}))


if __name__ == "__main__":
    main()
