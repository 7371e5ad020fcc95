"""CPU seconds that `ganflow` takes before it works, against an empty Python and against `import torch`; prints JSON.

A round runs each command once, in a process of its own, and takes its CPU time with that of its children (user and
system), which holds still on a shared machine where wall time does not. Rounds alternate between forward and backward.

  help           --help of `ganflow`, of a group and of a verb with many options; the answer to a wrong option
  configuration  `presets`, one of them, its keys; `dataset log`; an unknown preset, key, source and kind of source
  compare        of 2 x 8 images by a network of nothing, whose features are kept after the first run
  sample         where --home names a home with a champion

Hoped for, above `python -c pass`: 0.3 s for help, 1.0 s for what needs a configuration; above `import torch`: 2 s for
the rest. `dataset log` reads the list that it kept; «after a change» is the same where MLflow's database has changed
since; «torch.export.load» is what PyTorch alone takes to load the champion, below which `sample` cannot be.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

GANFLOW = (sys.executable, "-m", "flows.command.entry")
ROUNDS = 5
NOTHING, TORCH = "python -c pass", "import torch"
LIMITS = {
    "help": (0.3, NOTHING),
    "configuration": (1.0, NOTHING),
    "compare": (2.0, TORCH),
    "sample": (2.0, TORCH),
}
"""Seconds, and above what."""
HELP = ("--help", "dataset --help", "evaluate --help", "train --worker 2")
CONFIGURED = (
    "presets",
    "presets digits",
    "presets --keys",
    "dataset log",
    "train --preset digit",
    "train --set train.epochs=3",
    "ingest nowhere",
    "ingest digits --source-kind photos",
)
LOAD = "import sys, torch; torch.export.load(sys.argv[1])"


@dataclass(frozen=True)
class Command:
    """What is timed.

    Attributes:
        line: the program and its arguments.
        kind: key of `LIMITS`; empty for what the others are compared with.
        status: what it has to end with.
        before: called before each run.
    """

    line: tuple[str, ...]
    kind: str = ""
    status: int = 0
    before: Callable[[], None] = lambda: None


def cpu_seconds(command: Command, environment: Mapping[str, str], folder: Path) -> float:
    """Run a command; returns user and system time of its process and all that it waited for.

    Raises:
        SystemExit: it did not end with its status.
    """
    command.before()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command.line, env=environment, cwd=folder, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != command.status:
        raise SystemExit(f"{' '.join(command.line)} ended with {done.returncode}: {done.stderr[-1000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(folder: Path, home: Path | None) -> dict[str, Command]:
    """Everything that is timed by name, in a folder that holds what it reads."""
    found = {
        NOTHING: Command((sys.executable, "-c", "pass")),
        TORCH: Command((sys.executable, "-c", "import torch")),
    }
    found |= {line: Command((*GANFLOW, *line.split()), "help", 2 * ("--help" not in line)) for line in HELP}
    right = ("presets", "dataset")
    found |= {
        line: Command((*GANFLOW, *line.split()), "configuration", 2 * (not line.startswith(right)))
        for line in CONFIGURED
    }
    database = (home or folder) / "mlflow.db"
    if database.exists():
        found["dataset log, after a change"] = Command((*GANFLOW, "dataset", "log"), before=database.touch)
    page = str(folder / "page.html")
    compare = ("compare", "a", "b", "--network", "network.pt", "--report", page)
    found["compare a b"] = Command((*GANFLOW, *compare), "compare")
    if home:
        found["sample"] = Command((*GANFLOW, "sample", "-o", str(folder / "samples.png")), "sample")
        newest = max(home.glob("mlartifacts/**/model.pt2"), key=lambda path: path.stat().st_mtime)
        found["torch.export.load"] = Command((sys.executable, "-c", LOAD, str(newest)))
    return found


def prepare(folder: Path) -> None:
    """Make two folders of images, and a feature network that takes no time."""
    import numpy as np
    import torch
    from PIL import Image
    from torch import nn

    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir()
        for number in range(8):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / name / f"{number}.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        network = torch.jit.script(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        torch.jit.save(network, str(folder / "network.pt"))


def summary(seconds: Mapping[str, list[float]], kinds: Mapping[str, str]) -> dict:
    """Median and ends of each command, and for each limit whether every median of its kind is within."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    above = {
        name: {limit[1]: round(medians[name] - medians[limit[1]], 3)}
        for name, kind in kinds.items()
        if (limit := LIMITS.get(kind))
    }
    met = {
        f"{kind} <= {most} s above {base}": all(above[name][base] <= most for name in kinds if kinds[name] == kind)
        for kind, (most, base) in LIMITS.items()
        if kind in kinds.values()
    }
    times = {
        name: {"median": round(medians[name], 3), "min": round(min(values), 3), "max": round(max(values), 3)}
        for name, values in seconds.items()
    }
    return {"met": met, "above_s": above, "cpu_s": times}


def main() -> None:
    """Alternate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"runs of each command (default {ROUNDS})")
    parser.add_argument("--home", type=Path, help="a home with a champion, as `ganflow run --preset debug` makes")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder)
        home = arguments.home.absolute() if arguments.home else None
        drop = ("GANFLOW_", "PREFECT_", "MLFLOW_", "RAY_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
        environment |= {"GANFLOW_HOME": str(home or folder)}
        timed = commands(folder, home)
        seconds: dict[str, list[float]] = {name: [] for name in timed}
        for command in timed.values():  # compiles what has to be compiled
            cpu_seconds(command, environment, folder)
        for number in range(arguments.rounds):
            for name in list(timed)[:: -1 if number % 2 else 1]:
                seconds[name].append(cpu_seconds(timed[name], environment, folder))
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    result = summary(seconds, {name: command.kind for name, command in timed.items()})
    facts = {"rounds": arguments.rounds, "cores": len(os.sched_getaffinity(0)), "load_before": round(load, 2)}
    print(json.dumps({"benchmark": "startup", **result, **facts, "python": sys.version.split()[0]}))


if __name__ == "__main__":
    main()
