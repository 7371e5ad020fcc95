"""What MIND costs, and how far it moves with the number of directions and of images.

Takes features of real and generated images ([N, D] float .npy). `spread` is the standard deviation of MIND over
`--tries` other sets of that many directions, by its mean; `interval` is half its interval for drawing images anew,
likewise. `seconds` are of a process of this many threads (`--seconds N`: N images a side, 2,048 dimensions, the median
of three, alternating with FID). Prints one JSON object.
"""

import argparse
import json
import os
import statistics
import time

import numpy as np

from gan.metrics import mind
from gan.metrics.fid_interval import fid_estimate

DIRECTIONS = (50, 100, 250, 500, 1000)
MOST = 5000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generated", help="features of a generator's images")
    parser.add_argument("--real", help="features of real images")
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=0, metavar="N", help="images a side")
    arguments = parser.parse_args()
    load, result = os.getloadavg()[0], {"benchmark": "mind"}
    if arguments.generated and arguments.real:
        a, b = (np.load(path) for path in (arguments.generated, arguments.real))
        result |= {"images": [len(a), len(b)], "directions": directions(a, b, arguments.tries)}
    if arguments.seconds:
        result |= {"seconds": seconds(arguments.seconds)}
    print(json.dumps(result | {"load_before": round(load, 2)}))


def directions(a: np.ndarray, b: np.ndarray, tries: int) -> list[dict]:
    """Return how far MIND moves with which directions are drawn, for each number of them."""
    drawn = mind._directions(MOST, a.shape[1])
    cells = []
    for count in DIRECTIONS:
        found = []
        for start in range(0, min(tries * count, MOST), count):
            mind._directions = lambda count, _, start=start: drawn[start : start + count]
            found.append(mind.mind_estimate(a, b, projections=count))
        value = statistics.mean(each.value for each in found)
        half = statistics.mean((each.high - each.low) / 2 for each in found)
        spread = statistics.stdev(each.value for each in found)
        cells.append({"directions": count, "mind": float(f"{value:.4g}"), "tries": len(found)})
        cells[-1] |= {"spread": round(spread / value, 4), "interval": round(half / value, 4)}
    return cells


def seconds(count: int) -> dict:
    """Return seconds on the clock and of the processor, MIND's and FID's."""
    rng = np.random.default_rng(0)
    a, b = (np.maximum(rng.standard_normal((count, 2048), dtype=np.float32) - 0.5, 0.0) for _ in range(2))
    found = {"mind": [], "fid": []}
    for _ in range(3):
        for name, score in (("mind", mind.mind_estimate), ("fid", fid_estimate)):
            clock, processor = time.perf_counter(), time.process_time()
            score(a, b)
            found[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return {
        name: [round(statistics.median(each), 2) for each in zip(*times, strict=True)] for name, times in found.items()
    } | {"images": count}


if __name__ == "__main__":
    main()
