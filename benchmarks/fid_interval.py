"""How often the 95 % interval of FID holds what it is for: the mean of FID over many drawings of both sets.

For each distribution, dimension D, images per dimension and distance between the two distributions both sets are drawn
anew `--draws` times; the share of intervals that hold the mean of all these FIDs is the coverage. `width` is the mean
half width over 1.96 times the spread of FID that is seen: 1 is just right, below 1 too narrow. With `--features-a` and
`--features-b` ([N, D] float .npy) the rows of real features are the distributions, drawn with replacement. `--times`
compares the cost with FID's own. Prints one JSON object; one thread is fastest here.
"""

import argparse
import json
import os
import statistics
import time

import numpy as np

from gan.metrics.fid_interval import fid_estimate
from gan.metrics.frechet import fid

DIMENSIONS, PER_DIMENSION = (16, 64, 128), (0.5, 1, 2, 4, 10)
KINDS = ("gaussian", "student5", "lognormal", "rectified")
DISTANCES = {"equal": 0.0, "near": 0.3, "far": 2.0}
MOST = 640  # images a side: more take minutes and are the easy case


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--features-a", help="real features, [N, D] .npy")
    parser.add_argument("--features-b", help="real features of another set, likewise")
    parser.add_argument("--times", action="store_true", help="cost at D = 2048 with 10,000 images a side, minutes")
    arguments = parser.parse_args()
    load, started = os.getloadavg()[0], time.perf_counter()
    cells = synthetic(arguments.draws)
    if arguments.features_a and arguments.features_b:
        cells += real(np.load(arguments.features_a), np.load(arguments.features_b), arguments.draws)
    result = {"benchmark": "fid_interval", "draws": arguments.draws, "lowest": min(c["coverage"] for c in cells)}
    result |= {"mean": round(statistics.mean(c["coverage"] for c in cells), 3), "cells": cells}
    if arguments.times:
        result["times"] = times()
    print(json.dumps(result | {"load_before": round(load, 2), "seconds": round(time.perf_counter() - started, 1)}))


def synthetic(draws: int) -> list[dict]:
    """Return the cells of all distributions."""
    cells = []
    for kind in KINDS:
        for dimensions in DIMENSIONS:
            for ratio in PER_DIMENSION:
                count = int(ratio * dimensions)
                if count > MOST:
                    continue
                for name, distance in DISTANCES.items():
                    rng = np.random.default_rng(0)
                    pairs = (
                        (draw(kind, count, dimensions, 0.0, rng), draw(kind, count, dimensions, distance, rng))
                        for _ in range(draws)
                    )
                    cells.append({"kind": kind, "D": dimensions, "N": count, "distance": name} | coverage(pairs))
    return cells


def draw(kind: str, count: int, dimensions: int, distance: float, rng: np.random.Generator) -> np.ndarray:
    """Return features [count, dimensions] with a falling spectrum, rotated, shifted and stretched by `distance`."""
    features = rng.standard_normal((count, dimensions))
    if kind == "student5":  # elliptical, five degrees of freedom: the influences have hardly a variance
        features /= np.sqrt(rng.chisquare(5, size=(count, 1)) / 5)
    elif kind == "lognormal":
        features = np.exp(0.8 * features)
    elif kind == "rectified":  # mostly zero, like Inception's
        features = np.maximum(features - 0.5, 0.0)
    spectrum = np.arange(1, dimensions + 1) ** -0.5 * (1 + 0.3 * distance * np.sin(np.arange(dimensions)))
    mixing = np.linalg.qr(np.random.default_rng(1).standard_normal((dimensions, dimensions)))[0]
    return (features * spectrum) @ mixing + 0.1 * distance


def real(a: np.ndarray, b: np.ndarray, draws: int) -> list[dict]:
    """Return the cells of real features: principal components, single features, and all of them with N < D."""
    centred = b - b.mean(axis=0)
    axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)[1][:, ::-1]
    # what a generator leaves that has lost half of what there is
    half = b[(centred @ axes[:, 0]) > 0]
    views = [(f"{d} principal components", lambda x, d=d: x @ axes[:, :d], n) for d in (64, 256) for n in (128, 512)]
    views += [(f"first {d} features", lambda x, d=d: x[:, :d], n) for d in (64, 256) for n in (128, 512)]
    views += [("all features", lambda x: x, n) for n in (64, 256)]
    cells = []
    for view, take, count in views:
        first, second, lost = take(a), take(b), take(half)
        for name, other in (("equal", first), ("another sample", second), ("half lost", lost)):
            rng = np.random.default_rng(0)
            pairs = (
                (first[rng.integers(len(first), size=count)], other[rng.integers(len(other), size=count)])
                for _ in range(draws)
            )
            cells.append({"kind": view, "D": first.shape[1], "N": count, "distance": name} | coverage(pairs))
    return cells


def coverage(pairs) -> dict:
    """Return how the intervals of these pairs of sets stand to the mean of their FID."""
    estimates = [fid_estimate(a, b) for a, b in pairs]
    values = np.array([each.value for each in estimates])
    low, high = np.array([each.low for each in estimates]), np.array([each.high for each in estimates])
    mean, spread = values.mean(), values.std(ddof=1)
    return {
        "coverage": round(float(((low <= mean) & (mean <= high)).mean()), 3),
        "too_high": round(float((low > mean).mean()), 3),
        "width": round(float((high - low).mean() / 2 / (1.96 * spread)), 2),
        "fid": float(f"{mean:.4g}"),
    }


def times(count: int = 10_000, dimensions: int = 2048, rounds: int = 3) -> dict:
    """Return seconds of FID and of FID with its interval, alternating."""
    rng = np.random.default_rng(0)
    a, b = (np.maximum(rng.standard_normal((count, dimensions), dtype=np.float32) - 0.5, 0.0) for _ in range(2))
    seconds = {"fid": [], "fid_estimate": []}
    for _ in range(rounds):
        for name, function in (("fid", fid), ("fid_estimate", fid_estimate)):
            started = time.process_time()
            function(a, b)
            seconds[name].append(time.process_time() - started)
    ratios = [y / x for x, y in zip(seconds["fid"], seconds["fid_estimate"], strict=True)]
    medians = {f"{name}_seconds": round(statistics.median(each), 2) for name, each in seconds.items()}
    return medians | {"ratio": round(statistics.median(ratios), 2), "ratios": [round(each, 2) for each in ratios]}


if __name__ == "__main__":
    main()
