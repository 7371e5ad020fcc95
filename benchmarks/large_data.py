"""Training on a dataset four times larger than the memory of its worker, against the same held in memory; prints JSON.

  held    a process that may use all memory: the images are copied into it before the first step
  read    a process in a memory cgroup of a quarter of the images' bytes, while the other is in one without limit (where
          none can be made, under a limit on its data segment): what it may hold is measured as for any worker, and the
          images are read beside the step

Both train the same configuration on the same decoded dataset. They live on, and take turns: the one computes some steps
that are not timed and as many that are, while the other waits. The page cache helps neither: the file is dropped from
it before every turn, and in the cgroup it counts. `ready` is the share of batches that were there when a step asked for
them. Then both draw batches of 256 px images without a network, for bytes
a second. At 32 px the images are scikit-learn's digits with noise, at 256 px the same enlarged. Claim: read is not
below 0.85 of held.

  python benchmarks/large_data.py             # 4 GiB on the disk of --work, 6 GiB of memory, ten minutes on two cores
  python benchmarks/large_data.py --quick     # seconds: small, and with a limit that is only told (GANFLOW_FEED_MEMORY)

For figures to be shown let nothing else run beside it.
"""

import argparse
import contextlib
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from measured.figures import spread

from tasks.runtime.settings import THREADS_WAIT

LEAST_RATIO, TIMES_LARGER = 0.85, 4
SIDES = 32, 256
BLOCK_BYTES = 2**24
MD5 = "large"
NETWORK = ("network.widths=[128,64,32]", "train.batch_size=64", "train.precision=fp32", "train.compile=false")
"""Of `dcgan-32`, narrowed: the faster the step, the more is asked of the disk."""


@dataclass(frozen=True)
class Task:
    """What a process does in its turns.

    Attributes:
        work: folder of the dataset.
        side: of its images, in pixels.
        steps: of a turn that are timed; as many come before.
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


class Over(Exception):  # noqa: N818 - no error
    """There are no more turns."""


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


class Turns:
    """A process' turns: it waits for a line of its input, and says what it has measured in one of its output."""

    def __init__(self) -> None:
        self.began: tuple[int, float, float] | None = None
        self.ready: list[bool] = []

    def wait(self, **told: object) -> None:
        """Say something, and wait for the next turn."""
        print(json.dumps(told), flush=True)
        if not sys.stdin.readline():
            raise Over

    def mark(self, images: int) -> None:
        """Half a turn is over, after so many images: what follows is timed, or was."""
        now = (images, time.perf_counter(), time.process_time())
        if self.began is None:
            self.began, self.ready = now, []
            return
        count, seconds, worked = (after - before for after, before in zip(now, self.began, strict=True))
        self.began = None
        ready = {"ready": sum(self.ready) / len(self.ready)} if self.ready else {}
        self.wait(img_per_s=count / seconds, cpu_s_per_kimg=1e3 * worked / count, **ready)

    def watch_readers(self) -> None:
        """Note of each batch that is read whether it was there when it was asked for."""
        from gan.training.stores import Streamed

        take = Streamed.take

        def watched(store, start, stop, rows):
            coming = store._coming.get((start, stop))
            self.ready.append(coming is not None and coming.images.done())
            return take(store, start, stop, rows)

        Streamed.take = watched  # type: ignore[method-assign]


def work_on(task: Task) -> None:
    """Do a task in this process, turn by turn, and say at the end what it has taken."""
    import torch

    from gan.data.store.resident import open_resident

    if task.more_data is not None:
        there = status_bytes("VmData")
        resource.setrlimit(resource.RLIMIT_DATA, (there + task.more_data, there + task.more_data))
    data = open_resident(Path(task.work), MD5, "train")
    assert data is not None
    with contextlib.suppress(Over):
        (train if task.train else draw)(task, data, torch.device("cpu"))
    print(json.dumps({"peak_bytes": status_bytes("VmHWM"), "threads": torch.get_num_threads()}), flush=True)


def train(task: Task, data, device) -> None:
    """Train until there are no more turns."""
    from gan.configuration.parsing import apply_overrides
    from gan.configuration.presets import preset
    from gan.training.context import SingleWorker
    from gan.training.header import Header
    from gan.training.loop import run_training

    config = apply_overrides(preset("dcgan-32"), [*NETWORK, "train.total_kimg=1e9", "train.checkpoint_kimg=1e9"])
    config = apply_overrides(config, [f"train.log_kimg={task.steps * config.train.batch_size / 1000}"])
    context, turns = SingleWorker(device), Turns()
    turns.watch_readers()

    def report(progress) -> None:
        if progress.images:
            turns.wait(told=progress.images)
        if progress.metrics:
            turns.mark(progress.cur_nimg)

    context.report = report  # type: ignore[method-assign]
    header = Header(config.model_dump(mode="json"), config.training_hash(), MD5, 3, 0, ())
    run_training(config, data.images, data.labels, context, header, feed_memory=task.feed_memory)


def draw(task: Task, data, device) -> None:
    """Draw batches and do nothing with them, until there are no more turns."""
    from gan.training.feed import Feed
    from gan.training.place import measured_budget

    size, turns = 32, Turns()
    turns.watch_readers()
    budget = measured_budget(device, 2**27, feed_memory=task.feed_memory)
    turns.wait(told=budget.told(data.images))
    with Feed(
        data.images, data.labels, seed=0, flip=True, latent_dim=64, device=device, batch_size=size, budget=budget
    ) as feed:
        for step in itertools.count():
            feed.batch(step * size, (step + 1) * size)
            if (step + 1) % task.steps == 0:
                turns.mark((step + 1) * size)


def status_bytes(name: str) -> int:
    """A figure of this process' memory."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


class MemoryGroup:
    """A memory cgroup (version 1) below the one of this process.

    Args:
        name: of it.
        limit: bytes that its processes may use together, files in memory among them; -1: all.

    Raises:
        OSError: none can be made here.
    """

    def __init__(self, name: str, limit: int = -1) -> None:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
        path = next((line.split(":", 2)[2] for line in lines if line.split(":")[1] == "memory"), None)
        if path is None:
            raise FileNotFoundError("no memory cgroup of version 1")
        self.folder = Path(f"/sys/fs/cgroup/memory{path}", f"large-data-{os.getpid()}-{name}")
        self.folder.mkdir()
        (self.folder / "memory.limit_in_bytes").write_text(str(limit))

    def enter(self) -> None:
        """Move this process there; it will not come back."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self) -> int:
        """Return the most bytes that its processes have used together."""
        return int((self.folder / "memory.max_usage_in_bytes").read_text("utf-8"))

    def remove(self) -> None:
        """Remove it, now that nobody is in it."""
        (self.folder / "memory.force_empty").write_text("0")
        self.folder.rmdir()


class Worker:
    """A process that does a task when it is its turn.

    Args:
        task: what it does.
        group: what it does it in; None: where this process is.
    """

    def __init__(self, task: Task, group: MemoryGroup | None) -> None:
        self.task, self.turns = task, list[dict]()
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--task", json.dumps(asdict(task))],
            preexec_fn=group.enter if group else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | THREADS_WAIT,
            text=True,
        )
        self.told = self._said()["told"]

    def turn(self) -> float:
        """Have it do its work once, with nothing of the dataset in the page cache; returns images a second."""
        dropped(Path(self.task.work))
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.turns.append(self._said())
        return self.turns[-1]["img_per_s"]

    def end(self) -> dict:
        """End it, and return all figures."""
        self.process.stdin.close()
        found = self._said()
        self.process.wait()
        return found | {"told": self.told} | {key: spread([each[key] for each in self.turns]) for key in self.turns[0]}

    def kill(self) -> None:
        """End it at once, if it is there."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def _said(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended with {self.process.wait()}: {self.task}")
        return json.loads(line)


def compare(held: Task, read: Task, rounds: int, groups: Mapping[str, MemoryGroup]) -> dict:
    """Alternate, and return figures and ratios."""
    with contextlib.ExitStack() as stack:
        workers = {}
        for name, task in (("held", held), ("read", read)):
            workers[name] = Worker(task, groups.get(name))
            stack.callback(workers[name].kill)
            print(f"{name}: {workers[name].told}", file=sys.stderr, flush=True)
        for number in range(rounds):
            names = ("held", "read") if number % 2 else ("read", "held")
            rates = {name: workers[name].turn() for name in names}
            done = ", ".join(f"{name} {rate:.0f} img/s" for name, rate in rates.items())
            print(f"round {number + 1}: {done}", file=sys.stderr, flush=True)
        pairs = list(zip(workers["read"].turns, workers["held"].turns, strict=True))
        found: dict = {name: worker.end() for name, worker in workers.items()}
    for name, group in groups.items():
        found[name]["peak_in_group"] = group.peak()
    return {
        "ratio": spread([a["img_per_s"] / b["img_per_s"] for a, b in pairs]),
        "cpu_ratio": spread([b["cpu_s_per_kimg"] / a["cpu_s_per_kimg"] for a, b in pairs]),
    } | found


@contextlib.contextmanager
def limited(limit: int, quick: bool) -> Iterator[tuple[str, dict[str, MemoryGroup]]]:
    """How the reader's memory is limited here, and the groups of both processes."""
    if quick:
        yield "told", {}
        return
    with contextlib.ExitStack() as stack:
        groups = {}
        try:
            for name, most in (("held", -1), ("read", limit)):
                groups[name] = MemoryGroup(name, most)
                stack.callback(groups[name].remove)
        except OSError as error:
            print(f"no cgroup ({error}): the data segment is limited instead", file=sys.stderr)
            groups = {}
        yield "memory cgroup" if groups else "RLIMIT_DATA", groups


def measure(side: int, arguments: argparse.Namespace, limit: int) -> dict:
    """Make a dataset, compare, and remove it."""
    trains, rounds = side == SIDES[0], 1 if arguments.quick else arguments.rounds
    steps = 4 if arguments.quick else arguments.steps
    count = -(-TIMES_LARGER * limit // (side * side * 3))
    work = Path(tempfile.mkdtemp(prefix="large-data-", dir=arguments.work))
    try:
        write_dataset(work, side, count)
        with limited(limit, arguments.quick) as (kind, groups):
            held = Task(str(work), side, steps, count * side * side * 3, None, trains)
            told = limit if arguments.quick else None
            read = Task(str(work), side, steps, told, limit if kind == "RLIMIT_DATA" else None, trains)
            found = compare(held, read, rounds, groups)
    finally:
        shutil.rmtree(work)
    mib = found["read"]["img_per_s"]["median"] * side * side * 3 / 2**20
    about = {"images": count, "bytes": count * side * side * 3, "limited_by": kind, "read_mib_per_s": round(mib, 1)}
    return about | found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="seconds, with a limit that is only told")
    parser.add_argument("--rounds", type=int, default=10, help="each is one turn of both (default 10)")
    parser.add_argument("--steps", type=int, default=60, help="of a turn that are timed (default 60)")
    parser.add_argument("--limit-mib", type=int, default=1024, help="memory of the readers (default 1,024)")
    parser.add_argument("--work", type=Path, help="a folder with room for the images (default: the temporary one)")
    arguments = parser.parse_args()
    if arguments.task:
        work_on(Task(**json.loads(arguments.task)))
        return
    limit, load = 2**20 if arguments.quick else arguments.limit_mib * 2**20, os.getloadavg()[0]
    training, batches = (measure(side, arguments, limit) for side in SIDES)
    result = {
        "benchmark": "large_data",
        "met": {f"ratio >= {LEAST_RATIO}": training["ratio"]["median"] >= LEAST_RATIO},
        "limit_bytes": limit,
        f"training, {SIDES[0]} px": training,
        f"batches alone, {SIDES[1]} px": batches,
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(load, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
