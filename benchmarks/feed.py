"""Batches of ganflow's feed against torch's DataLoader over the same arrays, alternating; prints one JSON object.

  A  `gan.training.feed.Feed`, as training runs it: the array in memory, a batch by one indexing, flip and scaling on
     the batch
  B  `torch.utils.data.DataLoader` with 2 workers that take, flip and scale one image at a time, and stack them
  C  the same loader, but for a worker's images being taken, flipped and scaled together (`__getitems__`)

All make the same batches, [64, C, H, W] float32 in [-1, 1] with labels, which is checked before anything is timed: B
and C are given the keyed order and the keyed flips. Workers live on, and each round is one pass. Hoped for: A makes 10
times the images a second of B. Images: Fashion-MNIST in GANFLOW_TEST_DATA, padded to 32x32, else random ones of that
shape. Rounds alternate; for figures to be shown let nothing else run beside it.
"""

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from measured.figures import spread
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gan.keyed_random import Purpose, integers
from gan.training.feed import Feed

BATCH, WORKERS, SEED = 64, 2, 0
LEAST_RATIO = 10.0
SIDE, COUNT, CLASSES = 32, 60_000, 10
CPU = torch.device("cpu")


class Items(Dataset):
    """One image and its label at a time.

    Args:
        images: [N, H, W, C] uint8.
        labels: [N] int64.
        mirrored: [N] bool, by place in the pass.
        order: [N] int64, rows by place in the pass.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, mirrored: np.ndarray, order: np.ndarray) -> None:
        self.images, self.labels, self.mirrored, self.order = images, labels, mirrored, order

    def __len__(self) -> int:
        """Return N."""
        return len(self.order)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        """Return [C, H, W] float32 in [-1, 1], flipped or not, and the label."""
        row = self.order[place]
        image = self.images[row]
        if self.mirrored[place]:
            image = image[:, ::-1].copy()
        return torch.from_numpy(image).permute(2, 0, 1).float().div_(127.5).sub_(1.0), int(self.labels[row])


class Lists(Items):
    """A batch's images at once."""

    def __getitems__(self, places: list[int]) -> tuple[Tensor, Tensor]:
        """Return [n, C, H, W] float32 in [-1, 1], flipped or not, and the labels [n]."""
        rows = self.order[places]
        images = torch.from_numpy(self.images[rows]).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
        mirrored = torch.from_numpy(self.mirrored[places])
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        return images, torch.from_numpy(self.labels[rows])


def batches(feed: Feed, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Return the feed's first pass, `count` images."""
    for start in range(0, count, BATCH):
        batch = feed.batch(start, min(start + BATCH, count))
        yield batch.real_images, batch.labels


def loader(dataset: Items) -> DataLoader:
    """Return a loader whose workers live on after a pass."""
    collate = as_it_is if isinstance(dataset, Lists) else None
    return DataLoader(dataset, BATCH, num_workers=WORKERS, persistent_workers=True, collate_fn=collate)


def as_it_is(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return what needs no stacking."""
    return batch


def read_images() -> tuple[np.ndarray, np.ndarray, str]:
    """Return [60000, 32, 32, 1] uint8, [60000] int64, and where they come from."""
    folder = Path(os.environ.get("GANFLOW_TEST_DATA", ""), "fashion-mnist")
    images, labels = (folder / f"train-{what}-ubyte.gz" for what in ("images-idx3", "labels-idx1"))
    if not (os.environ.get("GANFLOW_TEST_DATA") and images.is_file() and labels.is_file()):
        rng = np.random.default_rng(0)
        random = rng.integers(0, 256, (COUNT, SIDE, SIDE, 1), dtype=np.uint8)
        return random, rng.integers(0, CLASSES, COUNT), "random"
    pixels = np.frombuffer(gzip.decompress(images.read_bytes())[16:], np.uint8).reshape(-1, 28, 28, 1)
    classes = np.frombuffer(gzip.decompress(labels.read_bytes())[8:], np.uint8).astype(np.int64)
    return np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0))), classes, "Fashion-MNIST"


def keyed(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the feed's first pass and which of its images are mirrored."""
    source = Feed(
        np.empty((count, 1, 1, 1), np.uint8),
        np.zeros(count, np.int64),
        seed=SEED,
        flip=False,
        latent_dim=64,
        device=CPU,
    )
    batch = source.batch(0, count)
    return batch.rows.numpy(), integers(batch.draws.seeds, Purpose.FLIP, 2).bool().numpy()


def check(ways: dict[str, Iterable[tuple[Tensor, Tensor]]]) -> None:
    """Stop unless all ways make the same batches."""
    for together in zip(*ways.values(), strict=True):
        (images, labels), *others = together
        for name, (their_images, their_labels) in zip(list(ways)[1:], others, strict=True):
            if not (torch.equal(images, their_images) and torch.equal(labels, their_labels)):
                raise SystemExit(f"{name} does not make the batches of the feed: nothing here would be comparable")


def rate(way: Iterable[tuple[Tensor, Tensor]], count: int) -> float:
    """Return images a second of one pass."""
    started = time.perf_counter()
    seen = sum(len(labels) for _, labels in way)
    assert seen == count
    return count / (time.perf_counter() - started)


def main() -> None:
    """Alternate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="each is one pass of all ways (default 5)")
    parser.add_argument("--images", type=int, default=COUNT, help=f"in a pass (default {COUNT:,})")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    images, labels, origin = read_images()
    images, labels = images[: arguments.images], labels[: arguments.images]
    count = len(images)
    order, mirrored = keyed(count)
    loaders = {"DataLoader": loader(Items(images, labels, mirrored, order))}
    loaders["DataLoader, whole batches"] = loader(Lists(images, labels, mirrored, order))

    def feed() -> Iterator[tuple[Tensor, Tensor]]:
        # made anew: another pass over the dataset is another order
        return batches(Feed(images, labels, seed=SEED, flip=True, latent_dim=64, device=CPU), count)

    check({"Feed": feed(), **loaders})
    rates: dict[str, list[float]] = {name: [] for name in ("Feed", *loaders)}
    for number in range(arguments.rounds):
        ways = {"Feed": feed(), **loaders}
        for name in list(ways)[:: -1 if number % 2 else 1]:
            rates[name].append(rate(ways[name], count))
        done = ", ".join(f"{name} {each[-1]:.0f} img/s" for name, each in rates.items())
        print(f"round {number + 1}: {done}", file=sys.stderr, flush=True)
    ratios = {
        name: spread([ours / theirs for ours, theirs in zip(rates["Feed"], rates[name], strict=True)])
        for name in loaders
    }
    print(
        json.dumps(
            {
                "benchmark": "feed",
                "met": {f"ratio >= {LEAST_RATIO}": ratios["DataLoader"]["median"] >= LEAST_RATIO},
                "ratio": ratios,
                "img_per_s": {name: spread(each) for name, each in rates.items()},
                "images": f"{origin}, {count:,} of {'x'.join(map(str, images.shape[1:]))}",
                "batch": BATCH,
                "workers": WORKERS,
                "cores": len(os.sched_getaffinity(0)),
                "torch_threads": torch.get_num_threads(),
                "load_before": round(load, 2),
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
