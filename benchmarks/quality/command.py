"""How good generators become in a given time, or from few images.

Each training and its evaluation is a cell, with a folder of its own below --out: plan.json, budget.json (what the time
pays for, measured before), training/ (checkpoints and the seconds so far), images-N.npy, scores-N-*/, samples.png and
last of all result.json. The same command again skips cells that are finished and goes on with one that was killed;
at SIGTERM a training keeps a checkpoint and ends.

experiments
  fashion-mnist      preset fashion-mnist against DCGAN (as published but for its batch, 64), class-conditional,
                     and that with a tuned learning rate, in equal wall time (--seconds) or on equally many images
                     (--kimg): FID and KID to training images, three seeds
  fashion-mnist-gpu  a larger network on a GPU, 10 minutes, FID of 50,000 images, and of 10,000 after each quarter
  cifar10            preset cifar10 on a GPU, 10 and 40 minutes, the same
  small-data         500 images of Fashion-MNIST, 50 of one class, and 470 of which 20 are of a rare class, with and
                     without DiffAugment: KID to held out images, what is learned by heart, what a classifier gains
  few-shot           100 cars of CIFAR-10 at 64x64: few-shot-64 against small-data in equal wall time; needs the extra
                     few-shot: KID to held out images, what is learned by heart

It needs torch, numpy and pydantic; GANFLOW_INCEPTION_WEIGHTS, or an installed package, for the feature network; for
preparing a set (--prepare) also pyarrow, pillow and imagecodecs, and for pictures imagecodecs. Without the latter a
machine can train and judge from OUT/data/*.npz that another one has prepared. Lines of progress go to standard error.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from gan.device.allocator import keep_freed_memory
from gan.errors import ConfigError, GanflowError
from quality.cells import EXPERIMENTS, Budget, Cell, cells_of
from quality.data import device_of, load
from quality.measuring import Judge
from quality.running import Place, finished, run_cell
from quality.summary import comparisons, sentences, table
from quality.training import LeftError


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return 0, 1 if a cell failed, 2 for wrong input, or 143 after SIGTERM."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if not arguments.experiment:
        print("Nothing is run without an experiment's name, because each takes long:\n")
        print("\n".join(plan(cells_of(each), each.images) for each in EXPERIMENTS.values()), end="\n\n")
        parser.print_help()
        return 0
    try:
        return run(arguments)
    except GanflowError as error:
        print(error, file=sys.stderr)
        return 2
    except LeftError as left:
        print(left, file=sys.stderr)
        if arguments.json:
            print(json.dumps({"benchmark": "quality", "left": left.record}))
        return 128 + signal.SIGTERM


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="quality.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", nargs="?", choices=[*EXPERIMENTS])
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--seconds", type=float, nargs="+", default=[], help="wall time of each training")
    budget.add_argument("--kimg", type=float, nargs="+", default=[], help="length of each in thousands of images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--variants", nargs="+", default=[], metavar="NAME", help="these sides alone")
    parser.add_argument("--subsets", nargs="+", default=[], metavar="NAME", help="these choices of images alone")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="changes of every variant")
    parser.add_argument("--images", type=int, help="generated images, and at most as many real ones, per evaluation")
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16", help="of the feature network")
    parser.add_argument("--out", type=Path, default=Path(".ganflow", "quality"), help="folder of the cells")
    parser.add_argument("--data", type=Path, help="folder of published sets (default: GANFLOW_TEST_DATA)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the CPU (default: all)")
    parser.add_argument("--plan", action="store_true", help="say what would be done")
    parser.add_argument("--prepare", action="store_true", help="prepare the set and no more")
    parser.add_argument("--train-only", action="store_true", help="train and draw images; judge them another time")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, the table beside it")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the cells of an experiment and print what came of them.

    Raises:
        GanflowError: what was asked for cannot be done.
    """
    experiment, images = EXPERIMENTS[arguments.experiment], arguments.images or EXPERIMENTS[arguments.experiment].images
    cells = cells_of(
        experiment,
        budgets=[Budget(seconds=each) for each in arguments.seconds] + [Budget(kimg=each) for each in arguments.kimg],
        seeds=arguments.seeds,
        variants=arguments.variants,
        subsets=arguments.subsets,
        overrides=arguments.set,
    )
    for cell in cells:
        cell.config()  # a wrong override is said before anything is trained
    if arguments.plan:
        print(plan(cells, images))
        return 0
    if images < 4:
        raise ConfigError(f"--images is {images}, but scores need at least 4")
    source = arguments.data or (Path(os.environ["GANFLOW_TEST_DATA"]) if "GANFLOW_TEST_DATA" in os.environ else None)
    if arguments.prepare:
        found = load(experiment.dataset, arguments.out, source, experiment.resolution)
        print(
            f"{len(found.train):,} images to train on and {len(found.test):,} held out lie in {arguments.out / 'data'}"
        )
        return 0
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    device, say = device_of(arguments.device), Progress()
    weights = os.environ.get("GANFLOW_INCEPTION_WEIGHTS")
    judge = None
    if not arguments.train_only:
        judge = Judge(arguments.out, device, arguments.precision, Path(weights) if weights else None, say)
        judge.require_weights()  # without the weights, no score would come of hours of training
    place = Place(arguments.out, source, device, judge, say)
    failed, records = [], []
    for number, cell in enumerate(cells, start=1):
        say.begin(f"{number}/{len(cells)} {cell.name}")
        try:
            record = finished(cell, place, images) or run_cell(cell, place, images)
        except GanflowError as error:
            failed.append(f"{cell.name}: {error}")
            say.always(f"failed: {error}")
            continue
        if record is not None:
            records.append(record)
    show(records, failed, as_json=arguments.json)
    return 1 if failed else 0


def show(records: list[dict], failed: list[str], *, as_json: bool) -> None:
    """Print the table and the comparisons, and the same as JSON."""
    compared = comparisons(records)
    text = "\n".join([table(records), sentences(compared)] if records else ["no cell is judged yet"])
    print(text, file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps({"benchmark": "quality", "cells": records, "comparisons": compared, "failed": failed}))


def plan(cells: Sequence[Cell], images: int) -> str:
    """Return what cells would be run, and how long they train."""
    experiment = cells[0].experiment
    seconds = sum(cell.budget.seconds or 0.0 for cell in cells)
    kimg = sum(cell.budget.kimg or 0.0 for cell in cells)
    length = " and ".join(
        [*([f"{seconds / 60:.0f} minutes"] if seconds else []), *([f"{kimg:g} thousand images"] if kimg else [])]
    )
    sides = ", ".join(dict.fromkeys(f"{cell.variant.name} ({cell.variant.preset})" for cell in cells))
    return (
        f"{experiment.name}: {len(cells)} cells, {length} of training in all, then {images:,} images of each are "
        f"judged by {experiment.reference} images; variants {sides}"
    )


class Progress:
    """Lines on standard error, not more than one in five seconds of the same cell."""

    def __init__(self) -> None:
        self.cell = ""
        self._last = 0.0

    def begin(self, cell: str) -> None:
        """Say that a cell begins."""
        self.cell, self._last = cell, 0.0

    def __call__(self, text: str) -> None:
        """Say how far it is, unless something was said just before."""
        if time.monotonic() - self._last >= 5.0:
            self._last = time.monotonic()
            self.always(text)

    def always(self, text: str) -> None:
        """Say something."""
        print(f"{self.cell}: {text}" if self.cell else text, file=sys.stderr, flush=True)
