"""Two training workers of one thread each against one of two threads, alternating; prints one JSON object.

  A  two processes of one thread, which sum their gradients over Gloo, as the workers of a training on two machines do
  B  one process of two threads
  C  one process of one thread: what the second core gives at all

All take the same steps of the same preset at the same global batch, each side in processes that live on and sleep while
another has its turn. Wanted: A makes at least 90 % of the images a second of B. `all_reduce_share` is the share of A's
time in which rank 0 waits for sums, for the other worker as well as for the bytes; `cpu_s_per_kimg` are the processor
seconds of all processes of a side, which hold still where the machine is shared.

  python benchmarks/scaling.py
  python benchmarks/scaling.py --preset digits --set train.reduce_precision=bf16
  python benchmarks/scaling.py --quick    # seconds, to see whether it works

For figures to be shown let nothing else run beside it. A round in which others took more than a tenth of the processors
stands in `all_rounds` alone, as long as three others remain.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from measured.figures import short, spread

from gan.configuration.config import Config
from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import PRESETS, preset
from gan.configuration.schedules import step_settings
from gan.device.allocator import keep_freed_memory
from gan.device.precision import native_bf16
from gan.objective.augment import numbers_of
from gan.training.all_reduce import SumsOverRanks
from gan.training.context import SingleWorker
from gan.training.feed import Feed
from gan.training.header import Header
from gan.training.state import TrainingState
from gan.training.step import Step
from tasks.runtime.settings import THREADS_WAIT

LEAST_SHARE = 0.9
MOST_OTHERS, LEAST_ROUNDS = 0.1, 3
CLASSES, IMAGES = 10, 4096
CPU = torch.device("cpu")
SIDES = {"2 workers x 1 thread": (2, 1), "1 worker x 2 threads": (1, 2), "1 worker x 1 thread": (1, 1)}
A, B, C = SIDES


class GlooContext(SumsOverRanks, SingleWorker):
    """One of some processes that sum over Gloo.

    Args:
        rank: its number.
        world_size: how many there are.
    """

    def __init__(self, rank: int, world_size: int) -> None:
        super().__init__(CPU)
        self.rank, self.world_size = rank, world_size


def work(config: Config, rank: int, world_size: int, threads: int, meeting: str) -> None:
    """Take as many steps as each line of standard input says, and write what they took."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    if world_size > 1:
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=world_size)
    context, size = GlooContext(rank, world_size), config.train.batch_size
    state = TrainingState(config, context, header_of(config))
    rng, side = np.random.default_rng(0), config.network.resolution
    images = rng.integers(0, 256, (IMAGES, side, side, 1), dtype=np.uint8)
    feed = Feed(
        images,
        rng.integers(0, CLASSES, IMAGES),
        seed=0,
        flip=config.train.flip,
        latent_dim=config.network.latent_dim,
        augmentation=numbers_of(config.augment.operations),
        device=CPU,
    )
    step = Step(state.nets, replace(state.objective, bf16=config.train.precision == "bf16"), context)
    for line in sys.stdin:
        began, cpu, waited = time.perf_counter(), time.process_time(), context.reduce_seconds
        for _ in range(int(line)):
            step(feed.batch(*state.shares()[0]), step_settings(config, state.cur_nimg), state.cur_nimg)
            state.cur_nimg += size
        turn = Turn(time.perf_counter() - began, time.process_time() - cpu, context.reduce_seconds - waited)
        print(json.dumps(vars(turn)), flush=True)


def header_of(config: Config) -> Header:
    """Return what a checkpoint would say of a training on noise."""
    return Header(
        config=config.model_dump(mode="json"),
        training_hash=config.training_hash(),
        dataset_md5="noise",
        channels=1,
        num_classes=CLASSES,
        class_names=tuple(str(label) for label in range(CLASSES)),
    )


@dataclass(frozen=True)
class Turn:
    """Some steps of one process, or of all of a side: the wall time of the slowest, and the sums of the others.

    Attributes:
        seconds: wall time.
        cpu: seconds of processors.
        waited: seconds in sums over workers, of rank 0 alone.
        others: share of the machine's processors that others took.
    """

    seconds: float
    cpu: float
    waited: float
    others: float = 0.0


class Side:
    """The processes of one side.

    Args:
        config: what they train.
        world_size: how many they are.
        threads: of each.
        folder: an empty one.
    """

    def __init__(self, config: Config, world_size: int, threads: int, folder: str) -> None:
        given = [config.model_dump_json(), str(world_size), str(threads), str(Path(folder, "meeting"))]
        environment = os.environ | THREADS_WAIT  # as every worker of a training has it
        self.processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--work", str(rank), *given],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for rank in range(world_size)
        ]

    def turn(self, steps: int) -> Turn:
        """Let all take some steps together."""
        busy, began = busy_seconds(), time.perf_counter()
        for process in self.processes:
            process.stdin.write(f"{steps}\n")
            process.stdin.flush()
        turns = [Turn(**json.loads(process.stdout.readline())) for process in self.processes]
        cpu, passed = sum(each.cpu for each in turns), time.perf_counter() - began
        others = max(busy_seconds() - busy - cpu, 0.0) / (passed * (os.cpu_count() or 1))
        return Turn(max(each.seconds for each in turns), cpu, turns[0].waited, others)

    def end(self) -> None:
        """Let the processes end, having read all that they were told."""
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait()
            process.stdout.close()


def busy_seconds() -> float:
    """Return the seconds that all processors of this machine have worked, or that its host kept from them."""
    user, nice, system, _, _, *interrupts = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts))) / os.sysconf("SC_CLK_TCK")


def quiet(turns: dict[str, list[Turn]]) -> dict[str, list[Turn]]:
    """Return the rounds that others left alone, or all if these are too few."""
    rounds = [
        together for together in zip(*turns.values(), strict=True) if max(t.others for t in together) <= MOST_OTHERS
    ]
    if len(rounds) < LEAST_ROUNDS:
        return turns
    return dict(zip(turns, map(list, zip(*rounds, strict=True)), strict=True))


def compare(config: Config, rounds: int, seconds: float) -> tuple[int, dict[str, list[Turn]]]:
    """Give each side a turn in every round, of equally many steps; returns how many, and the turns by side.

    A turn is of whole rounds of the lazy penalties.
    """
    whole = math.lcm(config.loss.penalty_every, config.train.generator_every)
    turns: dict[str, list[Turn]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        sides = {}
        try:
            for name, (workers, threads) in SIDES.items():
                own = Path(folder, str(len(sides)))
                own.mkdir()
                sides[name] = Side(config, workers, threads, str(own))
                sides[name].turn(whole)  # kernels are chosen, and memory is asked for
            steps = whole * max(1, round(seconds / sides[B].turn(whole).seconds))
            for number in range(rounds):
                for name in list(SIDES)[:: -1 if number % 2 else 1]:
                    turns[name].append(sides[name].turn(steps))
                rates = ", ".join(
                    f"{name} {steps * config.train.batch_size / each[-1].seconds:.0f}" for name, each in turns.items()
                )
                print(f"round {number + 1}, img/s: {rates}", file=sys.stderr, flush=True)
        finally:
            for side in sides.values():
                side.end()
    return steps, turns


def figures(config: Config, steps: int, turns: dict[str, list[Turn]]) -> dict[str, Any]:
    """Return what a person wants to know of some rounds."""
    images, played = steps * config.train.batch_size, turns
    turns = quiet(turns)
    rates = {name: [images / turn.seconds for turn in each] for name, each in turns.items()}
    share = [two / one for two, one in zip(rates[A], rates[B], strict=True)]
    return {
        "met": {f"{A} >= {LEAST_SHARE} of {B}": statistics.median(share) >= LEAST_SHARE},
        "ratio": spread(share),
        "ratio_to_one_thread": spread([two / one for two, one in zip(rates[A], rates[C], strict=True)]),
        "img_per_s": {name: spread(each) for name, each in rates.items()},
        "all_reduce_share": spread([turn.waited / turn.seconds for turn in turns[A]]),
        "cpu_s_per_kimg": {name: spread([1000 * t.cpu / images for t in each]) for name, each in turns.items()},
        "gradient_bytes_per_step": gradient_bytes(config),
        "rounds": len(turns[A]),
        "all_rounds": {
            name: [{"img_per_s": short(images / turn.seconds), "others": short(turn.others)} for turn in each]
            for name, each in played.items()
        },
    }


def gradient_bytes(config: Config) -> int:
    """Return the bytes that a worker hands to sums in a step, on average, in the precision that they are sent in."""
    state = TrainingState(config, SingleWorker(CPU), header_of(config))
    G, D = (sum(each.numel() for each in network.parameters()) for network in (state.nets.G, state.nets.D))
    width = {"fp32": 4, "bf16": 2}[config.train.reduce_precision]
    return round(width * (D + G / config.train.generator_every))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=list(PRESETS), help="(default fashion-mnist)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as `ganflow train` has it")
    parser.add_argument("--rounds", type=int, default=7, help="each is a turn of all sides (default 7)")
    parser.add_argument("--seconds", type=float, default=6.0, help="of a turn, about (default 6)")
    parser.add_argument("--quick", action="store_true", help="two short rounds of the preset debug")
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        rank, config, workers, threads, meeting = arguments.work
        work(Config.model_validate_json(config), int(rank), int(workers), int(threads), meeting)
        return
    load = os.getloadavg()[0]
    config = apply_overrides(
        preset(arguments.preset or ("debug" if arguments.quick else "fashion-mnist")), arguments.set
    )
    if config.train.precision == "auto":  # what the probe of a training takes is decided once for all sides
        config = apply_overrides(config, [f"train.precision={'bf16' if native_bf16(CPU) else 'fp32'}"])
    steps, turns = compare(config, *((2, 0.1) if arguments.quick else (arguments.rounds, arguments.seconds)))
    print(
        json.dumps(
            {"benchmark": "scaling", "preset": config.preset, "set": arguments.set}
            | figures(config, steps, turns)
            | {
                "batch": config.train.batch_size,
                "precision": config.train.precision,
                "steps_a_turn": steps,
                "cores": len(os.sched_getaffinity(0)),
                "load_before": round(load, 2),
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
