"""A release drawn by ganflow against Ray Data, Pillow and Parquet on the same model and cores; prints one JSON object.

  A  `tasks.generate.release.build_release`, as `ganflow generate` draws: rows mixed, images drawn and encoded, hashed,
     copies looked up, Parquet shards written and kept on the disk, samples, card and manifest, every file read back
  B  `ray.data.range(n).map_batches(…)` with an actor for each core, each of one thread, that loads the program once;
     Pillow encodes PNG in the same call, `write_parquet` writes
  G  the program alone in the precision that A chooses, a process of one thread for each core, on batches as A draws
  E  encoding alone, in as many processes: PNG files of images that G has made

With a GPU the program runs there, and B has one actor. B's clock begins when its first actor has loaded the program,
A's when it begins to draw: of a large release by threads until its processes are there, of a small one by them alone.
Claims: A makes 3 times the images a second of B, and not less than 0.85 of the slower of G and E. On a CPU these two
share the cores, so `share_of_both` compares A with what would be left if nothing but G and E had to be done there; and
where G takes nearly all of it, no way of encoding makes A 3 times as fast as B. The generator has the shape of a preset
and weights as they begin. Rounds alternate; for figures to be shown let nothing else run beside it.
"""

import argparse
import io
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from measured.figures import spread
from PIL import Image

from gan.configuration.config import ReleaseConfig
from gan.configuration.presets import preset
from gan.configuration.vocabulary import Precision
from gan.data.pixels.png import encode_pngs
from gan.device.allocator import keep_freed_memory
from gan.device.cores import cores
from gan.generation.export import SeededGenerator, export_program
from gan.generation.program_file import load_program_bytes
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.networks.build import build_generator
from tasks.generate.drawing import Probe, choose_precision, find_drawer
from tasks.generate.release import build_release
from tasks.runtime.settings import THREADS_WAIT, Settings
from tasks.tracking.versions import RegisteredModel

CLASSES = tuple("0123456789")
BATCH = 250
LEAST_RATIO, LEAST_SHARE = 3.0, 0.85
NO_DIGESTS: frozenset[str] = frozenset()
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ACTORS: dict[str, Any] = (
    {"concurrency": 1, "num_gpus": 1} if DEVICE.type == "cuda" else {"concurrency": cores(), "num_cpus": 1}
)


def program_file(name: str) -> bytes:
    """Return the exported generator of a preset's shape."""
    torch.manual_seed(0)
    config = preset(name)
    channels = 1 if config.data.channels == "auto" else config.data.channels
    file = io.BytesIO()
    G = build_generator(config.network, channels=channels, num_classes=len(CLASSES))
    torch.export.save(export_program(SeededGenerator(G)), file)
    return file.getvalue()


def ours(content: bytes, precision: Precision, n: int, folder: Path) -> float:
    """Draw a release; return images a second."""
    protocol = Protocol(
        num_generated=1000, num_reference=900, reference_split="train", resize="tf1", network="inception",
        network_sha256="s", precision="fp32", dataset_md5="0" * 32, seed=0,
    )  # fmt: skip
    began: list[float] = []
    settings = Settings(ganflow_home=folder)
    build_release(
        settings,
        RegisteredModel(1, "r", "0" * 32, CLASSES, "gan-generator"),
        load_program_bytes(content, "the program"),
        ReleaseConfig(num_images=n, batch_size=BATCH),
        name="r",
        evaluation=Evaluation(protocol=protocol, metrics={"kid1k": Metric(value=0.01)}),
        training_digests=NO_DIGESTS,
        configuration="of a benchmark",
        drawer=find_drawer(settings, content, "the program", None, precision, lambda sentence: None),
        precision=precision,
        on_progress=lambda done: began.append(time.time()),
    )
    return n / (time.time() - began[0])


class Actor:
    """Draws and encodes a batch of rows.

    Args:
        content: the program's file.
    """

    def __init__(self, content: bytes) -> None:
        torch.set_num_threads(1)
        self.program = load_program_bytes(content, "the program", DEVICE)
        self.began = time.time()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        """Return PNG files, labels and seeds."""
        seeds = batch["id"].astype(np.int64)
        labels = seeds % len(CLASSES)
        with torch.no_grad():
            images = self.program(torch.from_numpy(np.stack([seeds, labels], axis=1)).to(DEVICE)).cpu().numpy()
        pngs = []
        for image in images:
            file = io.BytesIO()
            Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(file, "PNG")
            pngs.append(file.getvalue())
        began = np.full(len(seeds), self.began)
        return {"image": np.array(pngs, dtype=object), "label": labels, "seed": seeds, "began": began}


def own_precision(content: bytes) -> Precision:
    """Return what `ganflow generate` would draw in here."""
    labels = np.arange(BATCH) % len(CLASSES)
    probe = Probe.of(load_program_bytes(content, "the program"), np.arange(BATCH), labels)
    return choose_precision(Settings(), "auto", content, "the program", probe, lambda sentence: None)


def theirs(content: bytes, n: int, folder: Path) -> float:
    """Draw as many images through Ray Data; return images a second."""
    import ray
    import ray.data

    rows = ray.data.range(n, override_num_blocks=max(1, n // 2500))
    drawn = rows.map_batches(Actor, fn_constructor_args=(content,), batch_size=BATCH, **ACTORS)
    drawn.write_parquet(str(folder))
    ended = time.time()
    tables = [pq.read_table(path, columns=["began", "seed"]) for path in folder.rglob("*.parquet")]
    assert sum(len(table) for table in tables) == n
    return n / (ended - min(min(table.column("began").to_pylist()) for table in tables))


def bare(content: bytes, precision: Precision, n: int) -> tuple[float, float]:
    """Return images a second of the program alone, and of encoding alone, all cores together."""
    count = 1 if DEVICE.type == "cuda" else cores()
    rates = []
    for work, processes in ((drawing_rate, count), (encoding_rate, cores())):
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            running = [pool.submit(work, content, precision, n // processes) for _ in range(processes)]
            rates.append(sum(each.result() for each in running))
    return rates[0], rates[1]


def drawing_rate(content: bytes, precision: Precision, n: int) -> float:
    """Draw n images on one core; return images a second."""
    draw, _ = drawing(content, precision)
    began = time.perf_counter()
    for start in range(0, n, BATCH):
        draw(start)
    return n / (time.perf_counter() - began)


def encoding_rate(content: bytes, precision: Precision, n: int) -> float:
    """Encode n images on one core; return images a second."""
    _, images = drawing(content, precision)
    began = time.perf_counter()
    for _ in range(0, n, BATCH):
        encode_pngs(images)
    return n / (time.perf_counter() - began)


def drawing(content: bytes, precision: Precision) -> tuple[Callable[[int], np.ndarray], np.ndarray]:
    """Return what draws a batch from a first seed on, and what it draws from 0."""
    torch.set_num_threads(1)
    keep_freed_memory()
    program = load_program_bytes(content, "the program", DEVICE, precision)

    @torch.no_grad()
    def draw(start: int) -> np.ndarray:
        seeds = torch.arange(start, start + BATCH)
        return program(torch.stack([seeds, seeds % len(CLASSES)], dim=1).to(DEVICE)).cpu().numpy()

    return draw, draw(0)


def shown(rates: dict[str, list[float]]) -> dict[str, Any]:
    """Return ratios and shares round by round, and whether the claims hold."""
    together = list(zip(rates["ganflow"], rates["Ray Data"], rates["G"], rates["encoding"], strict=True))
    ratio = spread([a / b for a, b, _, _ in together])
    share = spread([a / min(g, e) for a, _, g, e in together])
    both = spread([a * (1 / g + 1 / e) for a, _, g, e in together])
    return {
        "met": {
            f"ratio >= {LEAST_RATIO}": ratio["median"] >= LEAST_RATIO,
            f"share >= {LEAST_SHARE}": share["median"] >= LEAST_SHARE,
        },
        "ratio": ratio,
        "share_of_the_slower": share,
        "share_of_both": both,
        "img_per_s": {name: spread(values) for name, values in rates.items()},
    }


def main() -> None:
    """Alternate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="each draws a release in both ways (default 3)")
    parser.add_argument("--images", type=int, default=400_000, help="of a release (default 400,000)")
    parser.add_argument("--preset", default="digits", help="whose generator (default digits)")
    arguments = parser.parse_args()
    load, n = os.getloadavg()[0], arguments.images
    os.environ.update(THREADS_WAIT)
    import ray

    ray.init(num_cpus=cores() + 1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    content = program_file(arguments.preset)
    precision = own_precision(content)
    rates: dict[str, list[float]] = {name: [] for name in ("ganflow", "Ray Data", "G", "encoding")}
    for number in range(arguments.rounds):
        for name in ("ganflow", "Ray Data")[:: -1 if number % 2 else 1]:
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder)
                rate = ours(content, precision, n, place) if name == "ganflow" else theirs(content, n, place)
                rates[name].append(rate)
        for name, rate in zip(("G", "encoding"), bare(content, precision, n), strict=True):
            rates[name].append(rate)
        done = ", ".join(f"{name} {each[-1]:.0f} img/s" for name, each in rates.items())
        print(f"round {number + 1}: {done}", file=sys.stderr, flush=True)
    facts = {"benchmark": "generate", **shown(rates), "images": n, "preset": arguments.preset, "batch": BATCH}
    facts["precision"] = precision
    print(
        json.dumps(
            {
                **facts,
                "device": DEVICE.type,
                "cores": cores(),
                "load_before": round(load, 2),
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
