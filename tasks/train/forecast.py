"""What a training would cost: parameters, memory, and the time that a few steps on the real images foretell."""

import os
from dataclasses import asdict
from typing import Any

import psutil
import torch
from pydantic import BaseModel, ConfigDict

from gan.configuration.config import Config
from gan.data.store.resident import Resident
from gan.device.allocator import keep_freed_memory
from gan.device.precision import choose_kernels, native_bf16
from gan.training.choice import Choice
from gan.training.context import SingleWorker
from gan.training.header import WarmStartRecord
from gan.training.loop import open_feed
from gan.training.place import Budget, Place, checkpoint_bytes, measured_budget, step_bytes
from gan.training.probe import Trial, best_precision, candidates, measure, worked_off
from gan.training.state import TrainingState, shares_of
from gan.training.step_memory import fitting_accumulate, in_pieces
from tasks.dataset.current import load_version
from tasks.runtime.settings import Settings
from tasks.train.plan import TrainingPlan
from tasks.train.resources import worker_resources


class Forecast(BaseModel):
    """A training's cost before it starts.

    Attributes:
        config: the whole configuration.
        dataset_md5: what it would be trained on.
        num_train: training images there.
        channels: of the images.
        num_classes: classes that the networks tell apart; 0: unconditional.
        resumes: the run that would go on; None: a new one.
        warm_start: the model that training would begin with; None: random networks.
        workers: Ray Train workers.
        device: what each of them would compute on, as this machine has it.
        threads: CPU threads of each.
        first_nimg: images seen at the start.
        total_nimg: images seen at the end.
        cost: `gan.networks.cost.NetworkCost`: parameters, operations, and memory with the whole batch on one worker.
        step_bytes: memory that a worker's steps take, `gan.training.step_memory`, in bf16 if that is left open.
        fitting_accumulate: the least `train.accumulate` with which they fit; None where they do, or never would.
        images: where each worker would have the images, and why.
        dataset_bytes: memory of them beside the networks; 0 where they are on the way only while a step needs them.
        free_bytes: memory that is free on the device now.
        choice: how steps would be computed; None where they do not fit, and so were not measured.
        rates: images a second of one worker, by candidate.
        images_per_second: of all workers together, by the choice.
        seconds: of training alone, without scoring and registering.
    """

    model_config = ConfigDict(frozen=True)

    config: Config
    dataset_md5: str
    num_train: int
    channels: int
    num_classes: int
    resumes: str | None
    warm_start: WarmStartRecord | None
    workers: int
    device: str
    threads: int
    first_nimg: int
    total_nimg: int
    cost: dict[str, int]
    step_bytes: int
    fitting_accumulate: int | None
    images: str
    dataset_bytes: int
    free_bytes: int
    choice: str | None
    rates: dict[str, float]
    images_per_second: float | None
    seconds: float | None

    @property
    def needed_bytes(self) -> int:
        """Memory that a worker would need for networks, its part of the batch, and the dataset."""
        return self.step_bytes + self.dataset_bytes


def forecast(settings: Settings, plan: TrainingPlan, workers: int) -> Forecast:
    """Count, and measure steps of one worker in this process for a few seconds, if they fit into its memory.

    Workers are taken to be alike, and not to wait for each other.

    Args:
        settings: where the decoded dataset lies.
        plan: the training.
        workers: Ray Train workers, 1 or more.

    Raises:
        ResourcesError: this machine has fewer CPUs or GPUs than workers.
    """
    from gan.networks.cost import network_cost

    config, header = plan.config, plan.header
    data = load_version(settings.data_dir, settings.resident_dir, plan.dataset.md5)
    cost = network_cost(config, header.channels, header.num_classes)
    here = {"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count())}
    share = worker_resources([here], workers)
    device = torch.device("cuda" if share["GPU"] else "cpu")
    free = torch.cuda.mem_get_info(device)[0] if share["GPU"] else psutil.virtual_memory().available
    reserved = step_bytes(config, header, workers)
    copied = checkpoint_bytes(config, header)
    budget = measured_budget(device, reserved, copied=copied, feed_memory=settings.feed_memory, workers_here=workers)
    beside = data.images.nbytes if budget.place(data.images) in (Place.DEVICE, Place.HOST) else 0
    choice, rates, fitting = None, dict[str, float](), None
    open_choices = candidates(config, device, native=native_bf16(device))
    step: dict[str, Any] = {
        "channels": header.channels,
        "num_classes": header.num_classes,
        "images": -(-config.train.batch_size // workers),
        "bf16": open_choices[-1].bf16,  # what needs least
    }
    needed = in_pieces(config, config.train.accumulate, **step)
    if needed + beside < free:
        choice, rates = _measured(plan, data, open_choices, device, budget, share["CPU"], workers)
    else:
        fitting = fitting_accumulate(config, **step, room=free - beside)
    first = plan.resumed.cur_nimg if plan.resumed else 0
    rate = rates[choice] * workers if choice in rates else None  # a step that cannot be recorded has none
    return Forecast(
        config=config,
        dataset_md5=plan.dataset.md5,
        num_train=plan.dataset.info.num_train,
        channels=header.channels,
        num_classes=header.num_classes,
        resumes=plan.resumed.run_id if plan.resumed else None,
        warm_start=header.warm_start,
        workers=workers,
        device=torch.cuda.get_device_name(device) if share["GPU"] else "CPU",
        threads=share["CPU"],
        first_nimg=first,
        total_nimg=config.train.total_images,
        cost=asdict(cost),
        step_bytes=needed,
        fitting_accumulate=fitting,
        images=budget.told(data.images),
        dataset_bytes=beside,
        free_bytes=free,
        choice=choice,
        rates=rates,
        images_per_second=rate,
        seconds=(config.train.total_images - first) / rate if rate else None,
    )


def _measured(
    plan: TrainingPlan,
    data: Resident,
    open_choices: list[Choice],
    device: torch.device,
    budget: Budget,
    threads: int,
    workers: int,
) -> tuple[str, dict[str, float]]:
    """Run the start-up probe as the first worker would; returns its choice, and the rate of each candidate."""
    config = plan.config
    torch.set_num_threads(threads)
    choose_kernels(device, deterministic=config.train.deterministic)
    if device.type == "cpu":
        keep_freed_memory()
    run = TrainingState(config, SingleWorker(device), plan.header)
    with open_feed(config, data.images, data.labels, device, budget) as feed:
        trial = Trial(config, run.nets, run.objective, feed, run.context, shares_of(config, 0, 0, workers))
        found = worked_off(best_precision(open_choices, trial), trial)
        if found.name not in found.rates:  # compiled, as it is asked for
            found = measure([found], trial)
    return found.name, found.rates
