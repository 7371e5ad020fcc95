"""What keyed randomness costs a training step, against torch's streamed generator; prints one JSON object.

A draws z and the image order by Threefry from (seed, index); B draws the same shapes from torch's generator.
"""

import json
import statistics
import time

import torch

from gan.keyed_random import Purpose, epoch_order, image_seeds, normal

BATCH, LATENT, DATASET, ROUNDS, REPEATS = 64, 64, 50_000, 30, 50


def keyed(step: int) -> None:
    """Draw z for one batch as training does."""
    indices = torch.arange(step * BATCH, (step + 1) * BATCH)
    normal(image_seeds(0, indices), Purpose.LATENT, LATENT)


def streamed(step: int) -> None:
    """Draw z for one batch from a stream."""
    torch.randn(BATCH, LATENT)


def milliseconds(draw) -> float:
    """Mean time of a call over `REPEATS` calls."""
    started = time.perf_counter()
    for step in range(REPEATS):
        draw(step)
    return (time.perf_counter() - started) / REPEATS * 1000


def main() -> None:
    """Alternate A and B and print medians."""
    torch.set_num_threads(1)
    times = {"keyed": [], "streamed": []}
    for _ in range(ROUNDS):
        times["keyed"].append(milliseconds(keyed))
        times["streamed"].append(milliseconds(streamed))
    started = time.perf_counter()
    epoch_order(0, 0, DATASET)
    order = (time.perf_counter() - started) * 1000
    extra = [a - b for a, b in zip(times["keyed"], times["streamed"], strict=True)]
    print(
        json.dumps(
            {
                "benchmark": "keyed_random",
                "batch": BATCH,
                "latent_dim": LATENT,
                "keyed_ms": round(statistics.median(times["keyed"]), 4),
                "streamed_ms": round(statistics.median(times["streamed"]), 4),
                "extra_ms_per_draw": round(statistics.median(extra), 4),
                "extra_ms_spread": [round(min(extra), 4), round(max(extra), 4)],
                "epoch_order_ms_per_50k_images": round(order, 2),
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
