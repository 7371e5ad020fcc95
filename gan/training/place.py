"""Where a worker has its training images: on its GPU, else in memory, else on disk, by what it may hold of them."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import torch

from gan.device.memory import free_host_bytes
from gan.errors import ResourcesError
from gan.networks.cost import D_COPIES, FP32_BYTES, G_COPIES, network_cost
from gan.training.rows import mapped_file

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import Config
    from gan.training.header import Header

HOST_SHARE, DEVICE_SHARE = 0.75, 0.9
"""Of what is free; others on the host may want more later, a GPU is this worker's own."""
SCRATCH_BYTES = 2**28
"""For kernels' scratch memory, whatever the networks."""
SCRATCH = 1.5
"""Times what a step keeps by `network_cost`, with what kernels, copies for the probe and gaps take."""


class Place(Enum):
    """Where the images are; the value is what a person reads."""

    DEVICE = "held on the GPU"
    HOST = "held in memory"
    HOST_TO_DEVICE = "held in memory and copied to the GPU beside the step"
    FILE = "read from disk beside the step"


@dataclass(frozen=True)
class Budget:
    """Bytes of training images that a worker may hold.

    Attributes:
        host: in the memory of its host.
        device: in that of its GPU; None where it computes on the CPU.
    """

    host: int
    device: int | None = None

    def place(self, images: np.ndarray) -> Place:
        """Return the fastest place that has room for images; those that are no map of a file stay in memory."""
        if self.device is not None and images.nbytes <= self.device:
            return Place.DEVICE
        if images.nbytes > self.host and mapped_file(images) is not None:
            return Place.FILE
        return Place.HOST if self.device is None else Place.HOST_TO_DEVICE

    def told(self, images: np.ndarray) -> str:
        """Return the sentence on where images are, and why."""
        place, device = self.place(images), size(self.device or 0)
        why = {
            Place.DEVICE: f"within the {device} that the GPU has room for",
            Place.HOST: f"within the {size(self.host)} that this worker may hold",
            Place.HOST_TO_DEVICE: f"more than the {device} that the GPU has room for",
            Place.FILE: f"more than the {size(max(self.host, self.device or 0))} that this worker may hold",
        }[place]
        if place is Place.HOST and images.nbytes > self.host:
            why = "they are on no disk"
        return f"training images: {size(images.nbytes)}, {place.value}: {why}"


def measured_budget(
    device: torch.device, reserved: int, *, copied: int = 0, feed_memory: int | None = None, workers_here: int = 1
) -> Budget:
    """Return what a worker may hold by the memory that is free now.

    Args:
        device: of the worker.
        reserved: bytes that its steps need.
        copied: bytes that a checkpoint on its way to the storage takes on the host.
        feed_memory: bytes that it may hold at most, as a person says, who knows the host better; on a GPU no more than
            is free all the same. None: as much as leaves room.
        workers_here: workers on this host, which share its memory.
    """
    on_device, reserved_here = None, reserved
    if device.type == "cuda":  # what steps need there they do not take from the host
        on_device = max(0, int(torch.cuda.mem_get_info(device)[0] * DEVICE_SHARE) - reserved)
        reserved_here = SCRATCH_BYTES
    if feed_memory is not None:
        return Budget(feed_memory, on_device and min(on_device, feed_memory))
    of_this = int(free_host_bytes() * HOST_SHARE) // workers_here
    return Budget(max(0, of_this - reserved_here - copied), on_device)


def step_bytes(config: "Config", header: "Header", world_size: int) -> int:
    """Return bytes that the steps of one of `world_size` workers need, roughly and rather too many."""
    cost = network_cost(config, header.channels, header.num_classes)
    of_G, of_D = cost.generator_parameters * G_COPIES, cost.discriminator_parameters * D_COPIES
    networks = FP32_BYTES * (of_G + of_D)
    return int(SCRATCH * (networks + (cost.training_bytes - networks) // world_size)) + SCRATCH_BYTES


def no_room(images: int) -> ResourcesError:
    """Return the error of a worker whose GPU has too little memory for a step on so many images."""
    return ResourcesError(
        f"a step on {images} images a worker does not fit into the memory of this GPU: raise train.accumulate, which "
        "computes it in pieces (a dry run says into how many), or take more workers"
    )


def checkpoint_bytes(config: "Config", header: "Header") -> int:
    """Return bytes of a checkpoint: weights, averages and moments, and no gradients."""
    cost = network_cost(config, header.channels, header.num_classes)
    return FP32_BYTES * (cost.generator_parameters * (G_COPIES - 1) + cost.discriminator_parameters * (D_COPIES - 1))


def size(number: int) -> str:
    """Return bytes as a person reads them."""
    if number >= 2**30 / 10:
        return f"{number / 2**30:.1f} GiB"
    return f"{number / 2**20:.1f} MiB" if number >= 2**20 / 10 else f"{number:,} bytes"
