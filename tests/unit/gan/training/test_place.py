"""Where images are: the fastest place that has room, and the sentence that says so."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan.configuration.presets import preset
from gan.networks.cost import network_cost
from gan.training import place
from gan.training.checkpoint import load_tensors
from gan.training.place import SCRATCH_BYTES, Budget, Place, checkpoint_bytes, measured_budget, step_bytes

CPU = torch.device("cpu")
MIB = 2**20


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((MIB // 64, 8, 8, 1), np.uint8))
    return np.load(tmp_path / "images.npy", mmap_mode="r")


@pytest.mark.parametrize(
    ("budget", "found", "told"),
    [
        (Budget(MIB), Place.HOST, "held in memory: within the 1.0 MiB that this worker may hold"),
        (
            Budget(MIB - 1),
            Place.FILE,
            "read from disk beside the step: more than the 1.0 MiB that this worker may hold",
        ),
        (Budget(0), Place.FILE, "read from disk beside the step: more than the 0 bytes that this worker may hold"),
        (Budget(0, MIB), Place.DEVICE, "held on the GPU: within the 1.0 MiB that the GPU has room for"),
        (
            Budget(2 * MIB, MIB - 1),
            Place.HOST_TO_DEVICE,
            "held in memory and copied to the GPU beside the step: more than the 1.0 MiB that the GPU has room for",
        ),
        (
            Budget(0, MIB // 2),
            Place.FILE,
            "read from disk beside the step: more than the 0.5 MiB that this worker may hold",
        ),
    ],
)
def test_the_fastest_place_that_has_room(mapped, budget, found, told):
    assert budget.place(mapped) is found
    assert budget.told(mapped) == f"training images: 1.0 MiB, {told}"


def test_what_is_on_no_disk_stays_where_it_is(mapped):
    images = np.array(mapped)
    assert Budget(0).place(images) is Place.HOST
    assert Budget(0).told(images) == "training images: 1.0 MiB, held in memory: they are on no disk"
    assert Budget(0, 0).place(images) is Place.HOST_TO_DEVICE
    assert Budget(0, MIB).place(images) is Place.DEVICE


@pytest.mark.parametrize("workers", [1, 4])
def test_a_worker_may_hold_its_part_of_what_is_free_less_what_its_steps_need(monkeypatch, workers):
    monkeypatch.setattr(place, "free_host_bytes", lambda: 16 * 2**30)
    assert measured_budget(CPU, MIB, workers_here=workers) == Budget(12 * 2**30 // workers - MIB)
    assert measured_budget(CPU, MIB, copied=3 * MIB, workers_here=workers) == Budget(12 * 2**30 // workers - 4 * MIB)
    assert measured_budget(CPU, 2**40, workers_here=workers) == Budget(0)


def test_what_a_person_says_stands(monkeypatch):
    monkeypatch.setattr(place, "free_host_bytes", lambda: pytest.fail("measured"))
    assert measured_budget(CPU, MIB, feed_memory=5, workers_here=3) == Budget(5)
    assert measured_budget(CPU, MIB, feed_memory=0) == Budget(0)


@pytest.mark.parametrize(("said", "on_device"), [(None, 899), (0, 0), (500, 500), (10_000, 899)])
def test_a_gpu_holds_no_more_than_is_free(monkeypatch, said, on_device):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 2000))
    monkeypatch.setattr(place, "free_host_bytes", lambda: 2**40)
    found = measured_budget(torch.device("cuda"), 1, feed_memory=said, workers_here=2)
    assert found.device == on_device
    assert found.host == (3 * 2**37 - SCRATCH_BYTES if said is None else said)


@pytest.mark.parametrize("name", ["digits", "r3gan-256"])
def test_steps_of_many_workers_need_less_of_each_but_all_of_the_networks(name):
    config, header = preset(name), SimpleNamespace(channels=3, num_classes=0)
    cost = network_cost(config, 3, 0)
    alone, of_many = step_bytes(config, header, 1), step_bytes(config, header, 10**6)
    networks = 4 * (5 * cost.generator_parameters + 4 * cost.discriminator_parameters)
    assert cost.training_bytes < alone < 2 * cost.training_bytes + SCRATCH_BYTES
    assert networks < of_many < 2 * networks + 2 * SCRATCH_BYTES


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 bytes"), (2000, "2,000 bytes"), (2**18, "0.2 MiB"), (100 * MIB, "100.0 MiB"), (250 * 10**9, "232.8 GiB")],
)
def test_bytes_as_a_person_reads_them(number, told):
    assert place.size(number) == told


def test_a_checkpoint_has_as_many_bytes_as_are_written(tiny, tmp_path):
    run = tiny.run(tmp_path)
    numbers = sum(
        value.nbytes
        for part in load_tensors(tiny.last(tmp_path), CPU).values()
        for value in tensors_of(part)
        if value.numel() > 1
    )
    wanted = checkpoint_bytes(run.config, run.header)
    assert wanted == pytest.approx(numbers, rel=0.01)


def tensors_of(tree):
    if isinstance(tree, torch.Tensor):
        return [tree]
    each = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return [tensor for branch in each for tensor in tensors_of(branch)]
