"""Ten minutes of a GPU, part after part, each cut off by itself; what it finds lies in a folder as JSON.

  tests    the tests marked `gpu`: no step waits, bad steps are skipped, deterministic kernels, the probe
  step     img/s, share of the peak, waits and memory of a training step against the plain one: three presets
  quality  Fashion-MNIST for as long as is left, with its FID; it goes on where it was cut off

  python benchmarks/gpu.py --out out/gpu                # all of it, within 10 minutes
  python benchmarks/gpu.py --out out/gpu --parts step   # one part

The same command again leaves out what is finished and goes on with what is not. For `quality` the set has to be
prepared before, on any machine: `python benchmarks/quality.py fashion-mnist-gpu --prepare --out OUT/quality`. Needs
torch, numpy and pydantic; for `tests` also pytest, and for pictures imagecodecs. Without a GPU it says so and ends.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
GRACE_SECONDS = 10.0
"""Between asking a part to end, so that it may keep what it has, and ending it."""
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
    """

    name: str
    command: tuple[str, ...]
    seconds: float
    of: str


def parts(out: Path) -> list[Part]:
    """Return all parts, the shortest first, with their files below a folder."""
    python = sys.executable
    step = (python, str(HERE / "step.py"), "--rounds", "2", "--seconds", "2")
    tests = (python, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", str(ROOT / "tests/unit/gan"))
    quality = (python, str(HERE / "quality.py"), "fashion-mnist-gpu", "--seeds", "0", "--out", str(out / "quality"))
    return [
        Part("tests", tests, 120, "tests"),
        Part("step-cifar10", (*step, "--presets", "cifar10"), 150, "step"),
        Part("step-r3gan-32", (*step, "--presets", "r3gan-32", "--batch", "128"), 120, "step"),
        Part("step-r3gan-64", (*step, "--presets", "r3gan-64", "--batch", "64"), 120, "step"),
        Part("quality", (*quality, "--json"), 3600, "quality"),
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
    parser.add_argument(
        "--parts", nargs="+", choices=["tests", "step", "quality"], default=["tests", "step", "quality"]
    )
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print(json.dumps({"benchmark": "gpu", "skipped": "there is no CUDA device"}))
        return
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * arguments.minutes
    for part in parts(out):
        left = end - time.monotonic() - GRACE_SECONDS
        if part.of not in arguments.parts or finished(out, part):
            continue
        if left < LEAST_SECONDS:
            print(f"no time is left for {part.name}: run the same command again", file=sys.stderr)
            break
        print(f"{part.name}: {min(part.seconds, left):.0f} s at most", file=sys.stderr, flush=True)
        record = run(part, out, min(part.seconds, left))
        (out / f"{part.name}.json").write_text(json.dumps(record, indent=1) + "\n")
    records = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    print(json.dumps({"benchmark": "gpu", "parts": records}))


if __name__ == "__main__":
    main()
