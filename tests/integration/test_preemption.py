"""A node that is taken away with notice, on a real Ray of several nodes of this machine."""

import time

import numpy as np
import pytest
import ray

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import debug
from gan.data.store.resident_cache import DecodedSplit, write_version
from gan.training.checkpoint import load_header
from gan.training.header import Header
from tasks.runtime.settings import Settings
from tasks.train.resources import WorkerRange
from tasks.train.trainer import train_on_ray

pytestmark = [pytest.mark.integration, pytest.mark.slow]
MD5 = "0123456789abcdef0123456789abcdef"
DRAIN = 2  # DRAIN_NODE_REASON_PREEMPTION


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A node's cache has the dataset already; the storage is what all nodes share."""
    monkeypatch.setenv("GANFLOW_CACHE", str(tmp_path / "node"))
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
    rows = {split: DecodedSplit(images.shape, [(images, np.arange(40) % 2)]) for split in ("train", "test")}
    settings = Settings(ganflow_home=tmp_path / "home", ganflow_storage=str(tmp_path / "runs"), ray_address="later")
    write_version(settings.node_cache_dir / "resident", MD5, rows)
    return settings


def take_away(node):
    """Give notice to a node that it will be gone in ten seconds."""
    deadline = int((time.time() + 10) * 1000)
    accepted, why = ray._private.worker.global_worker.gcs_client.drain_node(node.node_id, DRAIN, "a test", deadline)
    assert accepted, why


def test_a_checkpoint_is_written_before_the_node_goes_and_training_goes_on_from_it(settings, cluster, tmp_path):
    settings = settings.model_copy(update={"ray_address": cluster.address})
    nodes = [cluster.add_node(num_cpus=2) for _ in range(2)]
    overrides = [
        "train.total_kimg=60",
        "train.checkpoint_kimg=1000",
        "train.log_kimg=0.256",
        "evaluation.watch_images=0",
    ]
    config = apply_overrides(debug(), overrides)
    header = Header(config.model_dump(mode="json"), config.training_hash(), MD5, 1, 2, ("a", "b"))
    starts, warnings, gone = [], [], []

    def follow(record):
        if record.choice:
            starts.append(record.cur_nimg)
        if record.metrics and not gone:
            free = ray._private.state.available_resources_per_node()
            gone.append(next(node for node in nodes if free[node.node_id].get("CPU", 0) == 0))
            take_away(gone[0])

    result = train_on_ray(
        config,
        header,
        settings,
        name="run",
        workers=WorkerRange(1, 1),
        destination=tmp_path / "checkpoint",
        on_progress=follow,
        on_warning=warnings.append,
    )
    assert [each for each in warnings if "about to be taken away: a checkpoint is written now" in each], warnings
    assert len(starts) == 2
    assert starts[0] == 0
    assert starts[1] > 0, "it went on from a checkpoint that no rhythm asked for"
    assert result.end_nimg == load_header(result.checkpoint).cur_nimg == config.train.total_images
