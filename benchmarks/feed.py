"""Batches of ganflow's feed against torch's DataLoader over the same arrays, alternating; prints one JSON object.

  A  `gan.training.feed.Feed`, as training runs it: the array in memory, a batch by one indexing, flip and scaling on
     the batch
  B  `torch.utils.data.DataLoader` with 2 workers that take, flip and scale one image at a time, and stack them
  C  the same loader, but for a worker's images being taken, flipped and scaled together (`__getitems__`)

On a GPU the batches are made there: A holds the images on the card, and, as a way of its own, in memory and copies
batches beside the step; B and C copy theirs from pinned memory without waiting, and load by all cores but one.

All make the same batches, [64, C, H, W] float32 in [-1, 1] with labels, which is checked before anything is timed: B
and C are given the keyed order and the keyed flips. Workers live on, and each round is one pass. Hoped for: A makes 10
times the images a second of B. Images: Fashion-MNIST in GANFLOW_TEST_DATA, padded to 32x32, else random ones of that
shape. Rounds alternate; for figures to be shown let nothing else run beside it. Needs torch and numpy alone.
"""

import argparse
import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from measured.clock import now
from measured.figures import say, spread
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gan.device.machine import device_name
from gan.keyed_random import Purpose, integers
from gan.training.feed import Feed
from gan.training.place import Budget

BATCH, SEED = 64, 0
LEAST_RATIO = 10.0
SIDE, COUNT, CLASSES = 32, 60_000, 10
HOST_BYTES, OFF = 2**32, 1e-6
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


@dataclass(frozen=True)
class Way:
    """A way to a pass over the images; iterated over anew for each.

    Attributes:
        make: starts a pass.
    """

    make: Callable[[], Iterator[tuple[Tensor, Tensor]]]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Start a pass."""
        return self.make()


def feed(images: np.ndarray, labels: np.ndarray, device: torch.device, budget: Budget | None = None) -> Way:
    """Return A, whose images are where a budget has room for them."""

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        # made anew: another pass over the dataset is another order
        settings = {"seed": SEED, "flip": True, "latent_dim": 64, "device": device, "batch_size": BATCH}
        with Feed(images, labels, **settings, budget=budget) as made:
            for start in range(0, len(labels), BATCH):
                batch = made.batch(start, min(start + BATCH, len(labels)))
                yield batch.real_images, batch.labels

    return Way(batches)


def loader(dataset: Items, device: torch.device) -> Way:
    """Return B or C, whose workers live on after a pass."""
    on_gpu, collate = device.type == "cuda", as_it_is if isinstance(dataset, Lists) else None
    made = DataLoader(
        dataset,
        BATCH,
        num_workers=workers(device),
        persistent_workers=True,
        collate_fn=collate,
        pin_memory=on_gpu,
    )

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for batch, labels in made:
            yield batch.to(device, non_blocking=True), labels.to(device, non_blocking=True)

    return Way(batches)


def workers(device: torch.device) -> int:
    """Return the processes that B and C load by."""
    return 2 if device.type == "cpu" else max(2, len(os.sched_getaffinity(0)) - 1)


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
            # a GPU multiplies by the reciprocal where a CPU divides: the last bit of a pixel may be another
            alike = torch.allclose(images, their_images, rtol=0, atol=OFF) and torch.equal(labels, their_labels)
            if not alike:
                raise SystemExit(f"{name} does not make the batches of the feed: nothing here would be comparable")


def rate(way: Iterable[tuple[Tensor, Tensor]], count: int, device: torch.device) -> float:
    """Return images a second of one pass."""
    passed = iter(way)
    seen = len(next(passed)[1])  # before it a feed is opened, which a training does once
    started = now(device)
    after = sum(len(labels) for _, labels in passed)
    assert seen + after == count
    return after / (now(device) - started)


def main() -> None:
    """Alternate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="each is one pass of all ways (default 5)")
    parser.add_argument("--images", type=int, default=COUNT, help=f"in a pass (default {COUNT:,})")
    arguments = parser.parse_args()
    device, load = torch.device("cuda" if torch.cuda.is_available() else "cpu"), os.getloadavg()[0]
    images, labels, origin = read_images()
    images, labels = images[: arguments.images], labels[: arguments.images]
    count = len(images)
    order, mirrored = keyed(count)
    ways = {"Feed": feed(images, labels, device)}
    if device.type == "cuda":
        ways["Feed, copied beside the step"] = feed(images, labels, device, Budget(host=HOST_BYTES, device=0))
    ways["DataLoader"] = loader(Items(images, labels, mirrored, order), device)
    ways["DataLoader, whole batches"] = loader(Lists(images, labels, mirrored, order), device)
    check(ways)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            rates[name].append(rate(ways[name], count, device))
        done = ", ".join(f"{name} {each[-1]:.0f} img/s" for name, each in rates.items())
        say(f"round {number + 1}: {done}")
    ratios = {
        name: spread([ours / theirs for ours, theirs in zip(rates["Feed"], rates[name], strict=True)])
        for name in list(ways)[1:]
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
                "workers": workers(device),
                "device": device_name(device),
                "cores": len(os.sched_getaffinity(0)),
                "torch_threads": torch.get_num_threads(),
                "load_before": round(load, 2),
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
