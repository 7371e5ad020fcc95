"""FID of ganflow against the packages that most papers use: the same images and weights, alternating in one process.

  A   ganflow, as `ganflow compare` does it: bf16 and fp32, TensorFlow 1's resize, batches of 8, moments that grow with
      the images, distance with its interval from symmetric eigenvalues
  B1  pytorch-fid: fp32, batches of 50, PyTorch's bilinear resize, np.cov, scipy.linalg.sqrtm
  B2  torch-fidelity: fp32, batches of 50, TensorFlow 1's resize, np.cov, numpy.linalg.eigvals

Images lie in memory for all; B runs in inference mode, without the packages' loaders. Claims:

  ratio   seconds of B over seconds of A, from the images of both sides to their distance. A distance takes seconds
          however few the images are: `ratio_at_10000` is what the measured seconds of an image and of a distance give
          for 10,000 images a side
  share   images a second of A from pixels to moments, over those of its network alone on inputs that are ready
  off     |FID in bf16 - FID in fp32| on these images

Before anything is timed the features of A in fp32 and of B must agree: with B2 from the pixels on, with B1 (whose
resize is another) from the resized images on. Progress goes to standard error; the last line is one JSON object. For
figures to be shown let nothing else run beside it. B comes by `pip install --no-deps torch-fidelity pytorch-fid`.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from measured.figures import say, spread

from gan.data.image_sets.image_set import open_image_set
from gan.device.machine import processor_name
from gan.errors import GanflowError
from gan.evaluation.extraction import LocalExtraction
from gan.metrics.features import FeatureExtractor
from gan.metrics.fid_interval import fid_estimate
from gan.metrics.inception import load_inception
from gan.metrics.network import DTYPES, inception
from gan.metrics.resize import resize_images
from gan.metrics.weights import find_inception_weights, read_verified
from tasks.runtime.settings import Settings

B_BATCH, PROBE, SHARED, LARGE = 50, 16, 96, 10_000
MOST_DISAGREEMENT = 1e-4
LEAST_RATIO, LEAST_SHARE = 4.0, 0.9
STAND_IN = "torch-fidelity's copies of torchvision's blocks"
Sides = tuple[np.ndarray, np.ndarray]


@dataclass
class Way:
    """One way to a FID: the features of one side, then the distance between two sides."""

    features: Callable[[np.ndarray], object]
    distance: Callable[[object, object], float]
    precision: str
    batch: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200, help="a side (default 200: 10 minutes on 2 cores)")
    parser.add_argument("--rounds", type=int, default=3, help="each times all ways once (default 3)")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="CIFAR-10's binary files, or images of one size (default: cifar10 in GANFLOW_TEST_DATA where that is set, "
        "else scikit-learn's digits enlarged to 32x32 RGB, 898 a side at most)",
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="the 2015 Inception (default: as ganflow finds it)"
    )
    arguments = parser.parse_args()
    if arguments.images < B_BATCH or arguments.rounds < 1:
        parser.error(f"--images must be {B_BATCH} at least and --rounds 1 at least")
    try:
        sides, origin = read_sides(arguments.data, arguments.images)
        settings = Settings()
        weights = find_inception_weights(arguments.weights or settings.ganflow_inception_weights, settings.cache_dir)
        print(json.dumps(measure(sides, origin, weights, arguments.rounds)))
    except GanflowError as error:
        say(str(error))
        raise SystemExit(error.exit_status) from None


def measure(sides: Sides, origin: str, weights: Path, rounds: int) -> dict:
    """Return everything that is claimed, with what it was measured on."""
    load, started, count = os.getloadavg()[0], time.perf_counter(), len(sides[0])
    pytorch_fid, torch_fidelity, blocks_of = load_packages(weights)
    ours = {precision: FeatureExtractor(inception(weights, precision=precision), resize="tf1") for precision in DTYPES}
    agreement = agree(sides[0][:PROBE], ours["fp32"], pytorch_fid, torch_fidelity)
    ways = {f"ganflow_{precision}": way_a(extractor) for precision, extractor in ours.items()}
    ways |= {"pytorch_fid": way_b1(pytorch_fid), "torch_fidelity": way_b2(torch_fidelity)}
    for way in ways.values():  # first calls choose kernels
        way.features(sides[0][: way.batch])
    found = compare(ways, sides, rounds)
    ratio, ratio_at_10000 = ratios(found, count, count), ratios(found, count, LARGE)
    shares = {precision: share(each, weights, sides[0][:SHARED], 2 * rounds) for precision, each in ours.items()}
    return {
        "benchmark": "fid",
        "images_a_side": count,
        "size": "x".join(map(str, sides[0].shape[1:])),
        "origin": origin,
        "ratio": ratio,
        "ratio_at_10000": ratio_at_10000,
        "share_of_bare_forward": shares,
        "fid_off_by_bf16": round(abs(found["ganflow_bf16"]["fid"] - found["ganflow_fp32"]["fid"]), 4),
        "met": {
            f"ratio >= {LEAST_RATIO}": lowest(ratio["ganflow_bf16"]) >= LEAST_RATIO,
            f"ratio_at_10000 >= {LEAST_RATIO}": lowest(ratio_at_10000["ganflow_bf16"]) >= LEAST_RATIO,
            f"share >= {LEAST_SHARE}": shares["bf16"]["median"] >= LEAST_SHARE,
        },
        "ways": {name: summary(each, ways[name], count) for name, each in found.items()},
        "features_disagree_by": agreement,
        "hardware": {
            "cpu": processor_name(),
            "cores": len(os.sched_getaffinity(0)),
            "torch_threads": torch.get_num_threads(),
            "wait_policy": os.environ.get("OMP_WAIT_POLICY", "unset"),
            "load_before": round(load, 2),
        },
        "versions": {"python": platform.python_version(), "pytorch_fid's blocks": blocks_of}
        | {name: __import__(name).__version__ for name in ("torch", "numpy", "scipy", "torch_fidelity", "pytorch_fid")},
        "seconds": round(time.perf_counter() - started),
    }


def way_a(extractor: FeatureExtractor) -> Way:
    """The way of `ganflow compare`."""
    extraction = LocalExtraction(extractor)

    def features(images: np.ndarray) -> object:
        return extraction.of_images(images, np.arange(len(images)), lambda done: None)

    def distance(a, b) -> float:
        return fid_estimate(a.features, b.features, moments_a=a.moments, moments_b=b.moments).value

    return Way(features, distance, extractor.network.precision, extractor.batch_size)


def way_b1(model) -> Way:
    """pytorch-fid's `get_activations`, `calculate_activation_statistics` and `calculate_frechet_distance`."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    @torch.inference_mode()
    def features(images: np.ndarray) -> np.ndarray:
        found = np.empty((len(images), 2048))
        for start, batch in batches(images):
            found[start : start + len(batch)] = model(batch.float().div(255))[0].squeeze(3).squeeze(2).numpy()
        return found

    def distance(a, b) -> float:
        statistics_of_both = [moment for x in (a, b) for moment in (np.mean(x, axis=0), np.cov(x, rowvar=False))]
        try:
            return float(calculate_frechet_distance(*statistics_of_both))
        except ValueError:  # its matrix root of singular covariances has an imaginary part
            return float("nan")

    return Way(features, distance, "fp32", B_BATCH)


def way_b2(model) -> Way:
    """torch-fidelity's `get_featuresdict_from_dataset`, `fid_features_to_statistics`, `fid_statistics_to_metric`."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    @torch.inference_mode()
    def features(images: np.ndarray) -> torch.Tensor:
        return torch.cat([model(batch)[0] for _, batch in batches(images)])

    def distance(a, b) -> float:
        a, b = fid_features_to_statistics(a), fid_features_to_statistics(b)
        return float(fid_statistics_to_metric(a, b, verbose=False)[KEY_METRIC_FID])

    return Way(features, distance, "fp32", B_BATCH)


def batches(images: np.ndarray):
    """Yield (start, [n, 3, H, W] uint8), planes apart as both packages' loaders make them."""
    for start in range(0, len(images), B_BATCH):
        part = torch.from_numpy(images[start : start + B_BATCH]).permute(0, 3, 1, 2)
        yield start, part.expand(-1, 3, -1, -1).contiguous()


def compare(ways: dict[str, Way], sides: Sides, rounds: int) -> dict[str, dict]:
    """Return seconds of features and of distance, by round, beginning with another way each round."""
    found: dict[str, dict] = {name: {"features": [], "distance": [], "fid": None} for name in ways}
    for number in range(rounds):
        names = list(ways)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            gc.collect()
            started = time.perf_counter()
            a, b = (ways[name].features(side) for side in sides)
            between = time.perf_counter()
            found[name]["fid"] = ways[name].distance(a, b)
            found[name]["features"].append(between - started)
            found[name]["distance"].append(time.perf_counter() - between)
            say(f"round {number + 1}: {name} {between - started:.1f} s + {found[name]['distance'][-1]:.1f} s")
    return found


def ratios(found: dict[str, dict], count: int, wanted: int) -> dict:
    """Return how many times faster each A is than each B by round, were there `wanted` images a side."""
    seconds = {
        name: [f * wanted / count + d for f, d in zip(each["features"], each["distance"], strict=True)]
        for name, each in found.items()
    }
    ours = [name for name in seconds if name.startswith("ganflow")]
    return {
        a: {b: spread([y / x for x, y in zip(seconds[a], seconds[b], strict=True)]) for b in seconds if b not in ours}
        for a in ours
    }


def lowest(ratios_to_b: dict[str, dict]) -> float:
    """Return the median ratio to the faster B."""
    return min(each["median"] for each in ratios_to_b.values())


def share(extractor: FeatureExtractor, weights: Path, images: np.ndarray, rounds: int) -> dict:
    """Return the share of the bare forward pass's images a second that the pipeline keeps, alternating."""
    precision, size = extractor.network.precision, extractor.batch_size
    images = images[: len(images) // size * size]
    network, way = load_inception(weights, dtype=DTYPES[precision]), way_a(extractor)
    ready = [
        ((resize_images(torch.from_numpy(part), "tf1") - 128.0) / 128.0).to(
            DTYPES[precision], memory_format=torch.channels_last
        )
        for part in np.split(images, len(images) // size)
    ]

    @torch.inference_mode()
    def bare() -> None:
        for batch in ready:
            network(batch)

    contenders = {"pipeline": lambda: way.features(images), "bare": bare}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    bare()
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            started = time.perf_counter()
            contenders[name]()
            rates[name].append(len(images) / (time.perf_counter() - started))
    found = spread([a / b for a, b in zip(*rates.values(), strict=True)])
    say(f"share of the bare forward pass in {precision}: {found['each']}")
    return found | {f"{name}_img_per_s": [round(rate, 1) for rate in each] for name, each in rates.items()}


def summary(found: dict, way: Way, count: int) -> dict:
    """Return the figures of one way."""
    rates = [2 * count / seconds for seconds in found["features"]]
    return {
        "precision": way.precision,
        "batch": way.batch,
        "img_per_s": [round(rate, 2) for rate in rates],
        "median_img_per_s": round(statistics.median(rates), 2),
        "distance_seconds": [round(seconds, 2) for seconds in found["distance"]],
        "fid": round(found["fid"], 4) if np.isfinite(found["fid"]) else None,
    }


def load_packages(weights: Path) -> tuple[torch.nn.Module, torch.nn.Module, str]:
    """Return the networks of pytorch-fid and of torch-fidelity, both with the published weights, and whose blocks."""
    try:
        blocks_of = import_torchvision()
        import torch_fidelity.feature_extractor_inceptionv3 as blocks

        fidelity = load_fidelity(blocks, weights)
        if blocks_of == STAND_IN:
            inception_blocks = {"A": blocks.InceptionA, "C": blocks.InceptionC, "E": blocks.InceptionE_1}
            sys.modules["torchvision"].models = types.SimpleNamespace(
                inception=types.SimpleNamespace(
                    **{f"Inception{name}": block for name, block in inception_blocks.items()}
                ),
                inception_v3=lambda **_: blocks.FeatureExtractorInceptionV3("inception", ["2048"]),
            )
        import pytorch_fid.inception
        import scipy.linalg
        from pytorch_fid import fid_score
    except ImportError as error:
        stop(
            f"{error.name} is missing, which the other side of this benchmark needs: "
            "pip install --no-deps torch-fidelity pytorch-fid scipy tqdm"
        )

    def sqrtm(product, disp=True):  # SciPy 1.18 dropped `disp`, which pytorch-fid still passes
        root = scipy.linalg.sqrtm(product)
        return root if disp else (root, None)

    fid_score.linalg = types.SimpleNamespace(sqrtm=sqrtm)
    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: fidelity.state_dict()
    return pytorch_fid.inception.InceptionV3().eval(), fidelity, blocks_of


def import_torchvision() -> str:
    """Import torchvision, or put an empty one there: it has no build for a PyTorch without CUDA.

    pytorch-fid needs torchvision's Inception blocks, of which torch-fidelity carries a copy; all else is never called.
    """
    try:
        import torchvision
    except (ImportError, RuntimeError):  # the latter: built for another PyTorch
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("", ".datasets", ".transforms", ".transforms.functional"):
            sys.modules[f"torchvision{name}"] = types.ModuleType(f"torchvision{name}")
        sys.modules["torchvision"].__version__ = "0.13"
        for name in ("CIFAR10", "CIFAR100", "STL10"):
            setattr(sys.modules["torchvision.datasets"], name, object)
        return STAND_IN
    return f"torchvision {torchvision.__version__}"


def load_fidelity(blocks: types.ModuleType, weights: Path) -> torch.nn.Module:
    """Return torch-fidelity's network with the published weights, whose layers come in the same order."""
    read_verified(weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        published = torch.jit.load(weights, map_location="cpu").state_dict()

    class Converted(blocks.FeatureExtractorInceptionV3):
        def load_state_dict(self, _nothing):
            state = self.state_dict()  # the last layer, which FID does not look at, stays as it is
            theirs = [name.removesuffix("conv.weight") for name in state if name.endswith(".conv.weight")]
            names = [name.removesuffix("weight") for name in published if name.endswith(".weight")]
            leaves = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}
            for name, their in zip(names, theirs, strict=True):
                state |= {f"{their}{leaves[leaf]}": published[f"{name}{leaf}"] for leaf in leaves}
            return super().load_state_dict(state)

    blocks.load_state_dict_from_url = lambda *_, **__: {}
    converted = Converted("inception", ["2048"])
    blocks.load_state_dict_from_url = lambda *_, **__: converted.state_dict()
    return converted


def agree(images: np.ndarray, full: FeatureExtractor, pytorch_fid, torch_fidelity) -> dict[str, float]:
    """Return how far the features of both packages are from ours in fp32, relative, or stop if it is too far."""
    ours = full.extract([images])
    resized = (resize_images(torch.from_numpy(images), "tf1") - 128.0) / 128.0
    with torch.inference_mode():
        # resize and scaling are another there: its network alone
        pytorch_fid.resize_input = pytorch_fid.normalize_input = False
        found = {"pytorch_fid": pytorch_fid(resized.contiguous())[0].flatten(1).numpy()}
        pytorch_fid.resize_input = pytorch_fid.normalize_input = True
        found["torch_fidelity"] = torch_fidelity(next(batches(images))[1])[0].numpy()
    off = {
        name: float(f"{(np.linalg.norm(each - ours, axis=1) / np.linalg.norm(ours, axis=1)).max():.2g}")
        for name, each in found.items()
    }
    if not max(off.values()) <= MOST_DISAGREEMENT:
        stop(f"the features differ by {off}, more than {MOST_DISAGREEMENT}: nothing here would be comparable")
    return off


def read_sides(folder: Path | None, count: int) -> tuple[Sides, str]:
    """Return two times [count, H, W, C] uint8, a random choice, and where they come from."""
    published = Path(os.environ.get("GANFLOW_TEST_DATA", ""), "cifar10")
    if folder is None and os.environ.get("GANFLOW_TEST_DATA") and published.is_dir():
        folder = published
    with tempfile.TemporaryDirectory() as scratch:
        images, origin = read_images(folder, Path(scratch))
        if 2 * count > len(images):
            stop(f"{origin} has {len(images):,} images: give --images {len(images) // 2} at most")
        order = np.random.default_rng(0).permutation(len(images))[: 2 * count]
        first, second = (np.ascontiguousarray(images[rows]) for rows in (order[:count], order[count:]))
    return (first, second), origin


def read_images(folder: Path | None, scratch: Path) -> tuple[np.ndarray, str]:
    """Return [N, H, W, C] uint8, which may lie in `scratch`, and where they come from."""
    if folder is None:
        from sklearn.datasets import load_digits

        grey = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
        return grey.repeat(4, 1).repeat(4, 2)[..., None].repeat(3, 3), "scikit-learn's digits, each pixel 4x4"
    if (folder / "test_batch.bin").is_file():
        files = [*sorted(folder.glob("data_batch_*.bin")), folder / "test_batch.bin"]
        rows = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073)[:, 1:] for file in files])
        return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), "CIFAR-10"
    found = open_image_set(folder, scratch=scratch)
    return found.images, found.name


def stop(sentence: str) -> NoReturn:
    """End with the status of wrong input."""
    say(sentence)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
