"""Training on a dataset four times larger than the memory of its worker, against the same held in memory; prints JSON.

  held    a process that may use all memory: the images are copied into it before the first step
  read    a process in a memory cgroup of a quarter of the images' bytes (where no cgroup can be made, under a limit on
          its data segment): what it may hold is measured as for any worker, and the images are read beside the step

Both train the same configuration on the same decoded dataset, alternating, each turn in a process of its own that the
page cache does not help: the file is dropped from it before every turn, and in the cgroup it counts. Timed are the
steps after the first record. Then both draw batches of 256 px images without a network, for bytes a second. At 32 px
the images are scikit-learn's digits with noise, at 256 px the same enlarged. Claim: read is not below 0.85 of held.

  python benchmarks/large_data.py             # 9 GiB on the disk of --work, a quarter of an hour on two CPU cores
  python benchmarks/large_data.py --quick     # seconds: small, and with a limit that is only told (GANFLOW_FEED_MEMORY)

For figures to be shown let nothing else run beside it.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

LEAST_RATIO, TIMES_LARGER = 0.85, 4
BLOCK_BYTES = 2**24
MD5 = "large"
NETWORK = ("network.widths=[128,64,32]", "train.batch_size=64", "train.precision=fp32", "train.compile=false")
"""Of `dcgan-32`, narrowed: the faster the step, the more is asked of the disk."""


@dataclass(frozen=True)
class Turn:
    """What a process measures.

    Attributes:
        work: folder of the dataset.
        side: of its images, in pixels.
        steps: to be timed.
        feed_memory: bytes of images that it may hold as it is told; None: as it finds.
        more_data: bytes by which its data segment may grow from its start; None: without limit.
        train: train a network; else draw batches alone.
    """

    work: str
    side: int
    steps: int
    feed_memory: int | None
    more_data: int | None
    train: bool


def write_dataset(work: Path, side: int, count: int) -> None:
    """Write images into a cache of decoded datasets, as ingesting leaves them, and have them on the disk."""
    from sklearn.datasets import load_digits

    from gan.data.store.resident_cache import DecodedSplit, write_version

    digits, labels = load_digits(return_X_y=True)
    small = (digits.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8).repeat(3, axis=3)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng, each = np.random.default_rng(0), max(1, BLOCK_BYTES // (side * side * 3))
        for first in range(0, count, each):
            rows = np.arange(first, min(first + each, count)) % len(small)
            images = small[rows].repeat(side // 8, axis=1).repeat(side // 8, axis=2)
            images ^= rng.integers(0, 32, images.shape, dtype=np.uint8)
            yield images, labels[rows].astype(np.int64)

    write_version(work, MD5, {"train": DecodedSplit((count, side, side, 3), batches())})


def dropped(work: Path) -> None:
    """Have the kernel forget what it keeps of the dataset in memory."""
    for path in (work / MD5).iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Clock:
    """A context that times what lies between two records."""

    def __init__(self, first_nimg: int) -> None:
        self.first_nimg, self.told = first_nimg, ""
        self.seen: list[tuple[int, float, float]] = []

    def report(self, progress: object) -> None:
        """Note the time of a record of metrics."""
        self.told = self.told or progress.images  # type: ignore[attr-defined]
        if progress.metrics and progress.cur_nimg >= self.first_nimg:  # type: ignore[attr-defined]
            self.seen.append((progress.cur_nimg, time.perf_counter(), time.process_time()))  # type: ignore[attr-defined]

    def rates(self) -> dict[str, float]:
        """Images a second, and CPU seconds of 1,000 images."""
        (first, began, worked), *_, (last, ended, done) = self.seen
        return {"img_per_s": (last - first) / (ended - began), "cpu_s_per_kimg": 1e3 * (done - worked) / (last - first)}


def take_turn(turn: Turn) -> dict:
    """Measure, in this process."""
    began = time.perf_counter()
    import torch

    from gan.data.store.resident import open_resident

    if turn.more_data is not None:
        there = status_bytes("VmData")
        resource.setrlimit(resource.RLIMIT_DATA, (there + turn.more_data, there + turn.more_data))
    data = open_resident(Path(turn.work), MD5, "train")
    assert data is not None
    found = (train if turn.train else draw)(turn, data, torch.device("cpu"))
    seconds = time.perf_counter() - began
    return found | {"seconds": seconds, "peak_bytes": status_bytes("VmHWM"), "threads": torch.get_num_threads()}


def train(turn: Turn, data, device) -> dict:
    """Train steps that are timed, after as many that are not."""
    from gan.configuration.parsing import apply_overrides
    from gan.configuration.presets import preset
    from gan.training.context import SingleWorker
    from gan.training.header import Header
    from gan.training.loop import run_training

    size = 64
    kimg = turn.steps * size / 1000
    often = [f"train.total_kimg={2 * kimg}", f"train.log_kimg={kimg}", "train.checkpoint_kimg=1e9"]
    config = apply_overrides(preset("dcgan-32"), [*NETWORK, *often])
    context, clock = SingleWorker(device), Clock(first_nimg=turn.steps * size)
    context.report = clock.report  # type: ignore[method-assign]
    header = Header(config.model_dump(mode="json"), config.training_hash(), MD5, 3, 0, ())
    run_training(config, data.images, data.labels, context, header, feed_memory=turn.feed_memory)
    return clock.rates() | {"told": clock.told}


def draw(turn: Turn, data, device) -> dict:
    """Draw batches and do nothing with them."""
    from gan.training.feed import Feed
    from gan.training.place import measured_budget

    size = 32
    budget = measured_budget(device, 2**27, feed_memory=turn.feed_memory)
    clock = Clock(0)
    with Feed(data.images, data.labels, seed=0, flip=True, device=device, batch_size=size, budget=budget) as feed:
        feed.batch(0, size)
        for step in range(1, turn.steps + 1):
            feed.batch(step * size, (step + 1) * size)
            clock.seen.append((step * size, time.perf_counter(), time.process_time()))
    each = data.images[:1].nbytes
    rates = clock.rates()
    return rates | {"mib_per_s": rates["img_per_s"] * each / 2**20, "told": budget.told(data.images)}


def status_bytes(name: str) -> int:
    """A figure of this process' memory."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


class MemoryGroup:
    """A memory cgroup (version 1) below the one of this process.

    Args:
        limit: bytes that its processes may use together, files in memory among them.

    Raises:
        OSError: none can be made here.
    """

    def __init__(self, limit: int) -> None:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
        path = next((line.split(":", 2)[2] for line in lines if line.split(":")[1] == "memory"), None)
        if path is None:
            raise FileNotFoundError("no memory cgroup of version 1")
        self.folder = Path(f"/sys/fs/cgroup/memory{path}", f"large-data-{os.getpid()}")
        self.folder.mkdir()
        (self.folder / "memory.limit_in_bytes").write_text(str(limit))

    def enter(self) -> None:
        """Move this process there; it will not come back."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self) -> int:
        """Return the most bytes since the last call."""
        file = self.folder / "memory.max_usage_in_bytes"
        found = int(file.read_text("utf-8"))
        file.write_text("0")
        return found

    def remove(self) -> None:
        """Remove it, now that nobody is in it."""
        (self.folder / "memory.force_empty").write_text("0")
        self.folder.rmdir()


def run_turn(turn: Turn, group: MemoryGroup | None) -> dict:
    """Measure in a process of its own, in a group if there is one."""
    dropped(Path(turn.work))
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        [sys.executable, __file__, "--turn", json.dumps(asdict(turn))],
        preexec_fn=group.enter if group else None,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"a turn ended with {done.returncode}: {turn}")
    found = json.loads(done.stdout.splitlines()[-1])
    return found | ({"peak_in_group": group.peak()} if group else {})


def compare(held: Turn, read: Turn, rounds: int, group: MemoryGroup | None) -> dict:
    """Alternate, and return figures and ratios."""
    turns: dict[str, list[dict]] = {"held": [], "read": []}
    for number in range(rounds):
        for name in ("held", "read") if number % 2 else ("read", "held"):
            turns[name].append(run_turn(read if name == "read" else held, group if name == "read" else None))
            last = turns[name][-1]
            print(f"round {number + 1}, {name}: {last['img_per_s']:.0f} img/s, {last['told']}", file=sys.stderr)
    figures = {
        name: {key: spread([each[key] for each in of]) for key in of[0] if key not in ("told", "threads")}
        for name, of in turns.items()
    }
    for name, of in turns.items():
        figures[name]["told"] = of[0]["told"]
    pairs = list(zip(turns["read"], turns["held"], strict=True))
    return {
        "ratio": spread([a["img_per_s"] / b["img_per_s"] for a, b in pairs]),
        "cpu_ratio": spread([b["cpu_s_per_kimg"] / a["cpu_s_per_kimg"] for a, b in pairs]),
        **figures,
        "torch_threads": turns["read"][0]["threads"],
    }


def spread(values: list[float]) -> dict:
    """Return the values, their median and their ends."""
    each = [float(f"{value:.4g}") for value in values]
    return {"median": float(f"{statistics.median(values):.4g}"), "min": min(each), "max": max(each), "each": each}


@contextlib.contextmanager
def limited(limit: int, quick: bool) -> Iterator[tuple[str, MemoryGroup | None]]:
    """How the readers' memory is limited here."""
    if quick:
        yield "told", None
        return
    try:
        group = MemoryGroup(limit)
    except OSError as error:
        print(f"no cgroup ({error}): the data segment is limited instead", file=sys.stderr)
        yield "RLIMIT_DATA", None
        return
    try:
        yield "memory cgroup", group
    finally:
        group.remove()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="seconds, with a limit that is only told")
    parser.add_argument("--rounds", type=int, default=5, help="each is one turn of both (default 5)")
    parser.add_argument("--steps", type=int, help="of a turn that are timed (default 300)")
    parser.add_argument("--limit-mib", type=int, default=1024, help="memory of the readers (default 1,024)")
    parser.add_argument("--work", type=Path, help="a folder with room for the images (default: the temporary one)")
    arguments = parser.parse_args()
    if arguments.turn:
        print(json.dumps(take_turn(Turn(**json.loads(arguments.turn)))))
        return
    limit, load = 2**20 if arguments.quick else arguments.limit_mib * 2**20, os.getloadavg()[0]
    steps, rounds = arguments.steps or (4 if arguments.quick else 300), 1 if arguments.quick else arguments.rounds
    result: dict = {"benchmark": "large_data", "limit_bytes": limit, "times_larger": TIMES_LARGER}
    for side, trains in ((32, True), (256, False)):
        count = -(-TIMES_LARGER * limit // (side * side * 3))
        work = Path(tempfile.mkdtemp(prefix="large-data-", dir=arguments.work))
        try:
            write_dataset(work, side, count)
            with limited(limit, arguments.quick) as (kind, group):
                held = Turn(str(work), side, steps, count * side * side * 3, None, trains)
                told = limit if arguments.quick else None
                read = Turn(str(work), side, steps, told, limit if kind == "RLIMIT_DATA" else None, trains)
                found = compare(held, read, rounds, group)
        finally:
            shutil.rmtree(work)
        name = f"{'training' if trains else 'batches alone'}, {side} px"
        result[name] = {"images": count, "bytes": count * side * side * 3, "limited_by": kind} | found
        if trains:
            result["met"] = {f"ratio >= {LEAST_RATIO}": found["ratio"]["median"] >= LEAST_RATIO}
    result |= {"cores": len(os.sched_getaffinity(0)), "load_before": round(load, 2)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
