"""The start-up probe: which precision, and whether to compile, is faster here.

It takes a second or two, and on a GPU the time of compiling.
"""

import contextlib
import copy
import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from gan.configuration.schedules import step_settings
from gan.device.fp32 import round_fp32
from gan.device.precision import emulation_warning, native_bf16
from gan.errors import ConfigError, ResourcesError
from gan.objective.gradients import Objective
from gan.training.choice import Choice
from gan.training.compiling import compiler_error, not_compiled
from gan.training.context import SingleWorker, TrainContext
from gan.training.feed import Feed
from gan.training.place import no_room
from gan.training.step import Networks, Step

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import Config

SECONDS = 0.5
"""Measured of each candidate, and at least one round of steps with every penalty in it."""
LEAST_GAIN = 0.5
"""Of what a further core would give at best: one that gives a training less is left to what computes beside it."""
MARGIN = 1.1
"""Times that a candidate must be faster than the one before it: its rounding, or its minutes of compiling, cost too."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What steps are tried on.

    Attributes:
        config: the run's configuration.
        nets: as they are at the start; left alone.
        objective: the run's, in any precision.
        feed: the run's.
        context: this worker's place in the run.
        shares: the images [first, last) of the first step that fall to this worker: of one batch or two.
        said: warnings that were told already; each candidate would say the same.
    """

    config: "Config"
    nets: Networks
    objective: Objective
    feed: Feed
    context: TrainContext
    shares: Sequence[tuple[int, int]]
    said: set[str] = field(default_factory=set)

    def step(self, choice: Choice) -> Step:
        """Return a step on copies of the networks, of which no other worker knows."""
        round_fp32(self.context.device, tf32=choice.tf32)
        alone = SingleWorker(self.context.device, on_warning=self._warn)
        objective = replace(self.objective, bf16=choice.bf16)
        return Step(copy.deepcopy(self.nets), objective, alone, compiled=choice.compiled, captured=choice.captured)

    def _warn(self, sentence: str) -> None:
        if sentence not in self.said:
            self.said.add(sentence)
            self.context.warn(sentence)


def candidates(config: "Config", device: torch.device, *, native: bool) -> list[Choice]:
    """Return the precisions that the configuration leaves open on a device, the plainest first.

    Args:
        config: the run's configuration.
        device: of the workers.
        native: whether all of them have instructions for bf16: what is emulated is never tried, for a few steps of it
            can take minutes. A GPU that has them has those for TF32, too.

    Raises:
        ConfigError: TF32 is asked for where there is none, or a step captured where there is no GPU.
    """
    fp32, tf32, bf16 = Choice(False, False, {}), Choice(False, False, {}, tf32=True), Choice(True, False, {})
    gpu = device.type == "cuda"
    if config.train.capture and not gpu:
        raise ConfigError("train.capture is true, but only GPUs can replay a step: set null")
    asked = config.train.precision
    if asked == "tf32" and not (gpu and native):
        raise ConfigError("train.precision is tf32, which only GPUs of compute capability 8.0 or more have: set auto")
    if asked != "auto":
        return [{"fp32": fp32, "tf32": tf32, "bf16": bf16}[asked]]
    return [fp32, *([tf32] if gpu else []), bf16] if native else [fp32]


def choose(trial: Trial) -> Choice:
    """Return the fastest way to compute steps that the configuration leaves open, the same on every rank.

    Precisions are compared first, and then the best of them with its compiled steps: compiling all would take minutes.

    Raises:
        ResourcesError: the memory of a GPU is too small for a step in any precision that is left open.
    """
    config, context = trial.config, trial.context
    open_choices = candidates(config, context.device, native=_all_have_bf16(context))
    if config.train.precision == "bf16" and (sentence := emulation_warning("train.precision", context.device)):
        context.warn(sentence)
    chosen = open_choices[0]
    if len(open_choices) > 1:
        chosen = best_precision(open_choices, trial)
    chosen = worked_off(chosen, trial)
    if context.shares_cores and torch.get_num_threads() > 1:
        chosen = replace(chosen, spared=_spared(chosen, trial))
    return chosen


def best_precision(open_choices: Sequence[Choice], trial: Trial) -> Choice:
    """Return the fastest of some precisions with all their rates.

    On a GPU its steps are replayed, if they may be: where it takes as long to launch them, one precision is as fast as
    another.
    """
    if trial.context.device.type == "cuda" and trial.config.train.capture is not False:
        with contextlib.suppress(ResourcesError):  # what is recorded keeps more memory
            replayed = measure([replace(each, captured=True) for each in open_choices], trial)
            if replayed.rates:
                return replace(replayed, captured=False)
    return measure(open_choices, trial)


def worked_off(chosen: Choice, trial: Trial) -> Choice:
    """Return a chosen precision with its steps compiled and captured, as asked for, or left open and faster."""
    train, gpu = trial.config.train, trial.context.device.type == "cuda"
    # a compiled step would keep what it is asked not to
    compiled, captured = (
        [False, True] if asked is None and gpu else [bool(asked)]
        for asked in (False if train.checkpoint_activations else train.compile, train.capture)
    )
    ways = [replace(chosen, compiled=one, captured=other) for one in compiled for other in captured]
    if len(ways) == 1:
        return ways[0]
    best = measure(ways, trial)
    return replace(best, rates=chosen.rates | best.rates)


def _spared(chosen: Choice, trial: Trial) -> int:
    """1 where the last core gives too little, the same on every rank; small networks hardly use a second one."""
    threads, seconds = torch.get_num_threads(), torch.zeros(2, dtype=torch.float64)
    for index in range(2):
        torch.set_num_threads(threads - index)
        seconds[index] = _seconds_a_step(trial.step(chosen), trial)
    torch.set_num_threads(threads)
    trial.context.all_reduce(seconds)
    gain = float(seconds[1] / seconds[0]) - 1.0
    return int(gain < LEAST_GAIN / (threads - 1))


def measure(open_choices: Sequence[Choice], trial: Trial) -> Choice:
    """Measure steps on copies of the networks, and return the fastest of some candidates with all their rates.

    A candidate whose compiling fails is left out, and a sentence says why.

    Args:
        open_choices: the candidates, the plainest first.
        trial: what they are measured on.
    """
    context = trial.context
    seconds = torch.zeros(len(open_choices), dtype=torch.float64, device=context.device)
    gpu = context.device.type == "cuda"
    numbered, failed = list(enumerate(open_choices)), ""
    for index, choice in numbered[::-1] if gpu else numbered:  # there what needs least memory first
        try:
            seconds[index] = _seconds_of(choice, trial)
        except torch.OutOfMemoryError:
            seconds[index] = math.inf
        except Exception as error:
            if not choice.compiled or trial.config.train.compile:
                raise
            # whatever the compilers under PyTorch raise, as where a machine has none for C: here it was only tried
            seconds[index] = math.nan
            failed = compiler_error(error)  # the error itself would keep what the step holds
        if gpu:
            gc.collect()
            torch.cuda.empty_cache()
    if failed:
        context.warn(not_compiled(failed))
    context.all_reduce(seconds)  # all ranks must decide alike
    first, last = trial.shares[0]
    if seconds.isinf().any() and not seconds.isfinite().any():
        raise no_room(last - first)
    return _fastest(open_choices, (seconds / context.world_size).tolist(), last - first)


def _seconds_of(choice: Choice, trial: Trial) -> float:
    """Seconds of a step; none where it was to be recorded and could not be, for that is another candidate's step."""
    step = trial.step(choice)
    seconds = _seconds_a_step(step, trial)
    return math.nan if choice.captured and step.graphs is None else seconds


def _all_have_bf16(context: TrainContext) -> bool:
    lacking = torch.tensor([float(not native_bf16(context.device))], device=context.device)
    context.all_reduce(lacking)
    return not lacking.item()


def _fastest(open_choices: Sequence[Choice], seconds: Sequence[float], images: int) -> Choice:
    rates = {
        choice.name: round(images / taken, 1)
        for choice, taken in zip(open_choices, seconds, strict=True)
        if not math.isnan(taken)
    }
    measured = [index for index, taken in enumerate(seconds) if not math.isnan(taken)] or [0]
    best = measured[0]
    for index in measured[1:]:
        if seconds[index] * MARGIN < seconds[best]:
            best = index
    return replace(open_choices[best], rates=rates)


def _seconds_a_step(step: Step, trial: Trial) -> float:
    """Mean over whole rounds, so that a lazy penalty counts for what it is."""
    config, batches = trial.config, [trial.feed.batch(*share) for share in trial.shares]
    size = config.train.batch_size
    round_of_steps = math.lcm(config.loss.penalty_every, config.train.generator_every)

    def steps(count: int) -> None:
        for index in range(count):
            # it computes all and moves nothing, so that what would diverge does so in the run, where it is explained
            settings = replace(step_settings(config, index * size), lr=0.0)
            step(batches[0], settings, index * size, *batches[1:])

    _warm(step, steps, round_of_steps)
    done, start = 0, _now(step.context.device)
    while True:
        steps(round_of_steps)
        done += round_of_steps
        taken = _now(step.context.device) - start
        if taken > SECONDS:
            return taken / done


def _warm(step: Step, steps: Callable[[int], None], round_of_steps: int) -> None:
    """Let a step's first calls pass: of whole rounds, until nothing is compiled or recorded any more.

    A kind of step that comes for the first time compiles its graph, and has cuDNN look for its kernels.
    """
    if not step.compiled and step.context.device.type != "cuda":
        steps(1)
        return
    from torch._dynamo.utils import counters  # loads the compiler, which a run without one does not need

    graphs = -1
    while graphs != (graphs := counters["stats"]["unique_graphs"]) or not step.settled:
        steps(round_of_steps)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
