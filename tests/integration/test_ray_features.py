"""Features as Ray tasks, on a real Ray of this machine: what one process finds, whatever the number of workers."""

import contextlib
import time
import warnings
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from gan.configuration.config import EvaluationConfig
from gan.device.precision import native_bf16
from gan.errors import WeightsError
from gan.evaluation.extraction import LocalExtraction
from gan.metrics.features import FeatureExtractor
from gan.metrics.network import inception, other_network
from gan.metrics.weights import find_inception_weights
from tasks.evaluate.extraction import resolve_precision
from tasks.evaluate.on_ray import RayExtraction, in_slices, slice_size
from tasks.runtime.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")]
IMAGES = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), dtype=np.uint8)
ROWS = np.random.default_rng(1).permutation(300)[:203]


class Network(nn.Module):
    """A convolution, and the mean of the batch, so that another composition of batches shows."""

    input_size: int

    def __init__(self, input_size: int = 16) -> None:
        super().__init__()
        self.input_size = input_size
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.conv(x).relu().mean(dim=[2, 3])
        return found + found.mean(dim=0)


class Picky(nn.Module):
    """Takes nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(-1, 7)


def saved(module: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), str(path))
    return path


def program(rows: torch.Tensor) -> torch.Tensor:
    """Images that say which seed and label, and which place in their batch, they were drawn for."""
    marks = torch.cat([rows, torch.arange(len(rows))[:, None]], dim=1)
    return marks[:, None, None, :].expand(len(rows), 8, 8, 3).to(torch.uint8)


@pytest.fixture(params=[2, *(pytest.param(count, marks=pytest.mark.slow) for count in (1, 4))])
def workers(request):
    import ray

    ray.init(num_cpus=request.param, num_gpus=0, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield request.param
    ray.shutdown()


def both(path: Path, batch_size: int | None, home: Path) -> tuple[LocalExtraction, RayExtraction]:
    config = EvaluationConfig(batch_size=batch_size, precision="fp32")
    extractor = FeatureExtractor(other_network(path, precision="fp32"), resize="tf1", batch_size=batch_size)
    settings = Settings(ganflow_home=home, ray_address="local")
    return LocalExtraction(extractor), RayExtraction(extractor, settings, config, path, own=True)


def assert_equal(found, wanted):
    np.testing.assert_array_equal(found.features, wanted.features)
    assert len(found) == len(wanted)
    np.testing.assert_array_equal(found.moments.mean, wanted.moments.mean)
    np.testing.assert_array_equal(found.moments.scatter, wanted.moments.scatter)


def test_any_number_of_workers_gives_the_bits_of_one_process(workers, tmp_path):
    path = saved(Network(), tmp_path / "small.pt")
    for batch_size in (None, 5):
        local, ray = both(path, batch_size, tmp_path)
        told = []
        assert_equal(ray.of_images(IMAGES, ROWS, told.append), local.of_images(IMAGES, ROWS, lambda done: None))
        assert told[-1] == 203
        assert len(told) > 4
        assert told == sorted(told)

    seeds, labels = np.arange(600), np.arange(600) % 7
    found, images = ray.of_program(program, seeds, labels, lambda done: None)
    wanted, wanted_images = local.of_program(program, seeds, labels, lambda done: None)
    assert_equal(found, wanted)
    np.testing.assert_array_equal(images, wanted_images)

    # a worker that is killed at work costs nothing but its slice
    killed = []

    def kill(done):
        deadline = time.monotonic() + 2.0  # one worker alone is between two slices just now
        while not killed and time.monotonic() < deadline:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if not killed and "features_of" in " ".join(process.cmdline()):
                        process.kill()
                        killed.append(process.pid)

    many = np.resize(ROWS, 4000)
    assert_equal(ray.of_images(IMAGES, many, kill), local.of_images(IMAGES, many, lambda done: None))
    assert killed

    local, ray = both(saved(Picky(), tmp_path / "picky.pt"), None, tmp_path)
    with pytest.raises(WeightsError, match=r"^picky\.pt returns \(172032, 7\) for 8 images"):
        ray.of_images(IMAGES, ROWS, lambda done: None)


@pytest.mark.slow
def test_inception_on_a_cluster_of_its_own(tmp_path):
    weights = find_inception_weights(None, tmp_path)
    settings = Settings(ganflow_home=tmp_path, ray_address="local")
    config = resolve_precision(settings, EvaluationConfig())
    assert config.precision == ("bf16" if native_bf16(torch.device("cpu")) else "fp32"), "all nodes are this one"
    extractor = FeatureExtractor(inception(weights, precision=config.precision), resize="tf1")
    ray = RayExtraction(extractor, settings, config, weights, own=False)
    found = ray.of_images(IMAGES, ROWS[:10], lambda done: None)
    assert_equal(found, LocalExtraction(extractor).of_images(IMAGES, ROWS[:10], lambda done: None))


@pytest.mark.parametrize(
    ("total", "slots", "batch", "size"),
    [(1000, 2, 8, 120), (1000, 64, 8, 8), (50_000, 16, 8, 256), (50_000, 8, 256, 256), (100, 4, 300, 300)],
)
def test_slices_are_whole_batches_and_several_for_each_slot(total, slots, batch, size):
    assert slice_size(total, slots, batch) == size


def test_slices_hold_all_images_in_their_order():
    parts = list(in_slices(np.split(IMAGES, [3, 3, 130, 131]), 20))
    assert [len(part) for part in parts] == [20] * 15
    np.testing.assert_array_equal(np.concatenate(parts), IMAGES)
    assert [len(part) for part in in_slices([IMAGES[:7], IMAGES[7:9]], 4)] == [4, 4, 1]
