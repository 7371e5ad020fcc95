"""Images a second that Inception makes features of, against the published program run plainly; prints JSON.

  A  `gan.evaluation.extraction.LocalExtraction`, as every score of ganflow is made: bf16 and fp32, TensorFlow 1's
     resize, from [N, H, W, C] uint8 in memory to features there
  B  the published TorchScript as it comes: fp32, batches of 50, PyTorch's bilinear resize

Before anything is timed the features of A in fp32 and of B must agree on images that were resized once for both. Rounds
alternate. `benchmarks/fid.py` compares the whole way to a FID with two packages; this one needs torch and numpy alone,
for a machine with a GPU that has nothing else. For figures to be shown let nothing else run beside it.
"""

import argparse
import io
import json
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from measured.clock import now
from measured.figures import say, short, spread
from torch import Tensor
from torch.nn import functional as F

from gan.device.fp32 import round_fp32
from gan.device.machine import device_name
from gan.errors import GanflowError
from gan.evaluation.extraction import LocalExtraction
from gan.metrics.features import FeatureExtractor
from gan.metrics.inception import INPUT_SIZE
from gan.metrics.network import DTYPES, inception
from gan.metrics.resize import resize_images
from gan.metrics.weights import find_inception_weights, read_verified

BATCH, PROBE, SIDE = 50, 16, 32
MOST_DISAGREEMENT = 1e-3
CPU_IMAGES, GPU_IMAGES = 64, 20_000


class Published:
    """B.

    Args:
        weights: the published file.
        device: where it computes.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated", category=DeprecationWarning)
            self.program = torch.jit.load(io.BytesIO(read_verified(weights)), map_location=device).eval()
        self.device = device

    @torch.inference_mode()
    def features(self, images: np.ndarray) -> np.ndarray:
        """Return the features [N, 2048] float32 of images [N, H, W, 3] uint8."""
        found = []
        for start in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[start : start + BATCH]).to(self.device).permute(0, 3, 1, 2).float()
            found.append(self.passed(F.interpolate(batch, (INPUT_SIZE, INPUT_SIZE), mode="bilinear")).cpu().numpy())
        return np.concatenate(found)

    def passed(self, images: Tensor) -> Tensor:
        """Return the features of images [N, 3, 299, 299] float32 in [0, 255]."""
        features: Tensor = self.program((images - 128.0) / 128.0)
        return features


@torch.inference_mode()
def disagreement(full: FeatureExtractor, published: Published, images: np.ndarray) -> float:
    """Return how far the features of A in fp32 are from those of B at most, relative."""
    resized = resize_images(torch.from_numpy(images).to(published.device), "tf1")
    a, b = full.network.run(resized), published.passed(resized)
    return float(((a - b).norm(dim=1) / b.norm(dim=1)).max())


def measure(weights: Path, device: torch.device, count: int, rounds: int) -> dict:
    """Return what is claimed, with what it was measured on."""
    load = os.getloadavg()[0]
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    extractors = {
        name: FeatureExtractor(inception(weights, precision=name, device=device), resize="tf1") for name in DTYPES
    }
    published = Published(weights, device)
    round_fp32(device, tf32=False)  # of both sides alike
    off = disagreement(extractors["fp32"], published, images[:PROBE])
    if not off <= MOST_DISAGREEMENT:
        raise SystemExit(f"the features differ by {off:.2g}, more than {MOST_DISAGREEMENT}: nothing is comparable")
    rows = np.arange(count)
    ways = {
        f"ganflow, {name}": lambda each=each: LocalExtraction(each).of_images(images, rows, lambda done: None)
        for name, each in extractors.items()
    } | {"published": lambda: published.features(images)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            started = now(device)
            ways[name]()
            if number:  # kernels are chosen in the first
                rates[name].append(count / (now(device) - started))
        if number:
            say(f"round {number}: " + ", ".join(f"{name} {each[-1]:.1f} img/s" for name, each in rates.items()))
    return {
        "benchmark": "inception",
        "img_per_s": {name: spread(each) for name, each in rates.items()},
        "ratio": {
            name: spread([a / b for a, b in zip(rates[name], rates["published"], strict=True)])
            for name in list(ways)[:-1]
        },
        "features_disagree_by": short(off),
        "images": count,
        "batch": extractors["fp32"].batch_size,
        "device": device_name(device),
        "cores": len(os.sched_getaffinity(0)),
        "torch_threads": torch.get_num_threads(),
        "load_before": round(load, 2),
        "torch": torch.__version__,
    }


def main() -> None:
    """Measure and print."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    usual = GPU_IMAGES if device.type == "cuda" else CPU_IMAGES
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=usual, help=f"of a turn (default: {usual:,})")
    parser.add_argument("--rounds", type=int, default=3, help="each times all ways once (default 3)")
    parser.add_argument(
        "--weights",
        type=Path,
        default=os.environ.get("GANFLOW_INCEPTION_WEIGHTS"),
        help="the published file (default: GANFLOW_INCEPTION_WEIGHTS, or as ganflow finds it)",
    )
    arguments = parser.parse_args()
    if arguments.images < PROBE or arguments.rounds < 1:
        parser.error(f"--images must be {PROBE} at least and --rounds 1 at least")
    try:
        weights = find_inception_weights(arguments.weights, Path(".ganflow"))
        print(json.dumps(measure(weights, device, arguments.images, arguments.rounds)))
    except GanflowError as error:
        say(str(error))
        raise SystemExit(error.exit_status) from None


if __name__ == "__main__":
    main()
