"""What `ganflow train` costs over the bare loop, alternating; prints one JSON object.

  A  the command, as a user types it, in a home with an ingested dataset: Prefect and its temporary server, a Ray of one
     machine, MLflow, checkpoints; without the scores beside training, which compute on the same cores, and, with
     --watched, once more with them
  B  `gan.training.loop.run_training` in a process of its own with a folder for checkpoints, and nothing else: the same
     configuration, images and threads

Wanted: A's steady speed is at least 98 % of B's, and all of A takes at most 25 s more. The steady speed is all images
of the second half of the marks over their seconds, as the run's own records have it: pauses for checkpoints and
pictures count; Ray's processes that still start beside the first images do not, but they do in the seconds. The
precision is chosen once for both.

  python benchmarks/overhead.py
  python benchmarks/overhead.py --quick    # a minute, to see whether it works

For figures to be shown let nothing else run beside it.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measured.figures import spread

GANFLOW = (sys.executable, "-m", "flows.command.entry")
LEAST_SHARE, MOST_SECONDS = 0.98, 25.0
A, B, WATCHED = "ganflow train", "bare loop", "ganflow train, watched"
Marks = list[tuple[int, float]]
"""Images seen at each mark, and images a second since the mark before."""


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        seconds: of the whole process.
        marks: of the training.
    """

    seconds: float
    marks: Marks

    @property
    def speed(self) -> float:
        """Images a second in the second half of the training."""
        return speed(self.marks[len(self.marks) // 2 :])


def speed(marks: Marks) -> float:
    """Return images a second between the first and the last mark."""
    images = [stop - start for (start, _), (stop, _) in itertools.pairwise(marks)]
    return sum(images) / sum(count / rate for count, (_, rate) in zip(images, marks[1:], strict=True))


def command(home: Path, *arguments: str) -> tuple[dict[str, Any], float]:
    """Run ganflow in a home; returns what it printed as JSON, and the seconds that it took.

    Raises:
        SystemExit: it failed.
    """
    ours = ("GANFLOW_", "PREFECT_", "MLFLOW_", "RAY_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    began = time.perf_counter()
    done = subprocess.run(
        [*GANFLOW, *arguments, "--json"],
        cwd=home,
        env=environment | {"GANFLOW_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"ganflow {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout), seconds


def by_command(home: Path, options: Sequence[str]) -> Run:
    """Train by the command, and read its marks from MLflow."""
    trained, seconds = command(home, "train", *options)
    from mlflow import MlflowClient

    history = MlflowClient(f"sqlite:///{home / 'mlflow.db'}").get_metric_history(trained["run_id"], "images_per_second")
    return Run(seconds, sorted((metric.step, metric.value) for metric in history))


def by_loop(home: Path, options: Sequence[str], threads: int) -> Run:
    """Train by the loop alone."""
    from tasks.runtime.settings import THREADS_WAIT

    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--bare", str(home), str(threads), *options],
        env=os.environ | THREADS_WAIT,  # as every worker of a training has it
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Run(time.perf_counter() - began, [tuple(mark) for mark in json.loads(done.stdout)])


def bare(home: Path, threads: int, options: Sequence[str]) -> Marks:
    """Train in this process, and return the marks."""
    import numpy as np
    import torch

    from gan.data.image_sets.image_set import open_image_set
    from gan.device.allocator import keep_freed_memory
    from gan.training.context import LocalContext, Progress
    from gan.training.header import Header
    from gan.training.loop import run_training

    torch.set_num_threads(threads)
    keep_freed_memory()
    config, marks = configured(options), []

    def mark(progress: Progress) -> None:
        if progress.metrics:
            marks.append((progress.cur_nimg, progress.metrics["images_per_second"]))

    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as folder:
        images = open_image_set(home / "data", split="train", scratch=Path(scratch))
        header = Header(
            config=config.model_dump(mode="json"),
            training_hash=config.training_hash(),
            dataset_md5=images.digest,
            channels=images.images.shape[-1],
            num_classes=len(images.class_names),
            class_names=tuple(images.class_names),
        )
        context = LocalContext(Path(folder), mark, torch.device("cpu"))
        run_training(config, np.asarray(images.images), images.labels, context, header)
    return marks


def configured(options: Sequence[str]):
    """Return the configuration that `ganflow train` makes of `--preset NAME --set KEY=VALUE …`."""
    from gan.configuration.parsing import apply_overrides
    from gan.configuration.presets import preset

    return apply_overrides(preset(options[1]), list(options[3::2]))


def figures(runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Return what a person wants to know of alternating runs."""
    found: dict[str, Any] = {
        "img_per_s": {name: spread([run.speed for run in each]) for name, each in runs.items()},
        "seconds": {name: spread([run.seconds for run in each]) for name, each in runs.items()},
        "ratio": {},
        "seconds_more": {},
    }
    for name in runs:
        if name != B:
            pairs = list(zip(runs[name], runs[B], strict=True))
            found["ratio"][name] = spread([ours.speed / bare.speed for ours, bare in pairs])
            found["seconds_more"][name] = spread([ours.seconds - bare.seconds for ours, bare in pairs])
    return {
        "met": {
            f"speed >= {LEAST_SHARE}": found["ratio"][A]["median"] >= LEAST_SHARE,
            f"at most {MOST_SECONDS:g} s more": found["seconds_more"][A]["median"] <= MOST_SECONDS,
        }
    } | found


def measure(home: Path, options: Sequence[str], threads: int, rounds: int, *, watched: bool) -> dict[str, list[Run]]:
    """Ingest, then train in every way by turns."""
    command(home, "ingest", "digits", *options[:2])
    plain = [*options, "--set", "evaluation.watch_images=0"]
    ways = {A: lambda: by_command(home, plain), B: lambda: by_loop(home, plain, threads)}
    if watched:
        ways[WATCHED] = lambda: by_command(home, options)
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            run = ways[name]()
            runs[name].append(run)
            told = f"round {number + 1}: {name} {run.speed:.0f} img/s, {run.seconds:.0f} s"
            print(told, file=sys.stderr, flush=True)
    return runs


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--bare"]:
        print(json.dumps(bare(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="each trains once in every way (default 3)")
    parser.add_argument("--kimg", type=float, default=65.0, help="of a training of the preset digits (default 65)")
    parser.add_argument("--watched", action="store_true", help="also with the scores beside training")
    parser.add_argument("--quick", action="store_true", help="one short training each, of the preset debug")
    arguments = parser.parse_args()
    import torch

    from gan.device.precision import native_bf16

    load, threads, kimg = os.getloadavg()[0], len(os.sched_getaffinity(0)), 1.0 if arguments.quick else arguments.kimg
    settings = {
        "train.total_kimg": kimg,
        "train.checkpoint_kimg": kimg / 2,
        "train.precision": "bf16" if native_bf16(torch.device("cpu")) and not arguments.quick else "fp32",
    }
    options = ["--preset", "debug" if arguments.quick else "digits"]
    for key, value in settings.items():
        options += ["--set", f"{key}={value}"]
    rounds = 1 if arguments.quick else arguments.rounds
    with tempfile.TemporaryDirectory() as home:
        runs = measure(Path(home), options, threads, rounds, watched=arguments.watched)
    print(
        json.dumps(
            {"benchmark": "overhead", "options": options}
            | figures(runs)
            | {"threads": threads, "load_before": round(load, 2), "torch": torch.__version__}
        )
    )


if __name__ == "__main__":
    main()
