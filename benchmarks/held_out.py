"""How wide the paired interval of two generators is against few held out images, and how often it is right.

Takes features of real and generated images ([N, D] float .npy). Real images and those of both generators are drawn anew
`--draws` times, with replacement; `coverage` is the share of intervals that hold the mean of all these differences,
`half_width` their mean half width, `times` that over the one against as many training images as are generated. `gap` is
the same for the generalisation gap of A by FID to two sets of so many images of one pool: nothing is learnt by heart
there. `learnt` is the gap where A's images are replaced by a share of training images, once each, by FID and by KID.
Prints one JSON object.
"""

import argparse
import json
import os
import statistics
import time

import numpy as np

from gan.metrics.estimate import Estimate
from gan.metrics.fid_interval import fid_influences
from gan.metrics.paired import generalisation_gap, kid_influences, paired_difference

SIZES = (25, 50, 100, 200, 360)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--a", required=True, help="features of one generator's images")
    parser.add_argument("--b", required=True, help="features of another's")
    parser.add_argument("--training", required=True, help="features of training images")
    parser.add_argument("--holdout", required=True, help="features of images that were not trained on")
    arguments = parser.parse_args()
    load, started = os.getloadavg()[0], time.perf_counter()
    a, b, training, holdout = (
        np.load(path) for path in (arguments.a, arguments.b, arguments.training, arguments.holdout)
    )
    trained_on = differences(a, b, training, min(len(a), len(training)), arguments.draws)
    cells = [summary(trained_on) | {"real": "training", "images": min(len(a), len(training))}]
    widest = cells[0]["half_width"]
    for count in SIZES:
        found = summary(differences(a, b, holdout, count, arguments.draws))
        cells.append(found | {"real": "holdout", "images": count, "times": round(found["half_width"] / widest, 2)})
    gaps = [summary(gap_draws(a, holdout, count, arguments.draws)) | {"images": count} for count in (50, 200, 360)]
    result = {"benchmark": "held_out", "draws": arguments.draws, "generated": len(a), "paired": cells, "gap": gaps}
    result |= {"learnt": [learnt(a, training, holdout, share) for share in (0.0, 0.1, 0.2, 0.5, 1.0)]}
    print(json.dumps(result | {"load_before": round(load, 2), "seconds": round(time.perf_counter() - started, 1)}))


def differences(a: np.ndarray, b: np.ndarray, real: np.ndarray, count: int, draws: int) -> list[Estimate]:
    """Return the paired difference of `draws` draws of all images."""
    rng, found = np.random.default_rng(0), []
    for _ in range(draws):
        against = again(real, count, rng)
        ours, theirs = (kid_influences(again(each, len(each), rng), against) for each in (a, b))
        found.append(paired_difference(ours, theirs))
    return found


def gap_draws(drawn: np.ndarray, real: np.ndarray, count: int, draws: int) -> list[Estimate]:
    """Return the gap of `draws` draws, by FID; training images and holdout come from one pool."""
    rng, found = np.random.default_rng(0), []
    for _ in range(draws):
        images = again(drawn, len(drawn), rng)
        found.append(generalisation_gap(*(fid_influences(images, again(real, count, rng)) for _ in range(2))))
    return found


def learnt(drawn: np.ndarray, training: np.ndarray, holdout: np.ndarray, share: float) -> dict:
    """Return the gap of a generator that draws training images in place of a share of its own."""
    stolen, most = round(share * len(drawn)), min(len(training), len(holdout))
    images = np.concatenate([np.random.default_rng(0).permutation(training)[:stolen], drawn[stolen:]])
    found = {"share": share}
    for name, score in (("fid", fid_influences), ("kid", kid_influences)):
        gap = generalisation_gap(score(images, training[:most]), score(images, holdout[:most]))
        found[name] = [float(f"{each:.3g}") for each in (gap.value, gap.low, gap.high)]
    return found


def again(features: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` rows, drawn with replacement."""
    return features[rng.integers(len(features), size=count)]


def summary(found: list[Estimate]) -> dict:
    """Return how the intervals stand to the mean of their values."""
    mean = statistics.mean(each.value for each in found)
    return {
        "coverage": round(statistics.mean(each.low <= mean <= each.high for each in found), 3),
        "half_width": float(f"{statistics.mean((each.high - each.low) / 2 for each in found):.3g}"),
        "mean": float(f"{mean:.3g}"),
    }


if __name__ == "__main__":
    main()
