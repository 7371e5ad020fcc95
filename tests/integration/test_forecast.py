"""The forecast of a training, measured on real steps; nothing of it is started."""

from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import debug
from gan.data.store.dataset import DatasetInfo
from gan.data.store.resident_cache import DecodedSplit, write_version
from gan.device.precision import native_bf16
from gan.errors import ResourcesError
from tasks.dataset.current import CurrentDataset
from tasks.runtime.settings import Settings
from tasks.train.forecast import forecast
from tasks.train.plan import TrainingPlan
from tasks.train.resume import Unfinished
from tasks.train.trainer import checkpoint_header

pytestmark = pytest.mark.integration
MD5 = "0123456789abcdef0123456789abcdef"
INFO = DatasetInfo(
    name="n",
    source_kind="folder",
    resolution=16,
    channels=1,
    class_names=("a", "b"),
    crop="centre",
    filter="lanczos",
    background="#ffffff",
    class_map={},
    split="hash",
    holdout_fraction=0.1,
    num_train=40,
    num_test=2,
    counts={},
    mean=(0.5,),
    std=(0.2,),
    rejects={},
)


@pytest.fixture
def settings(tmp_path):
    settings = Settings(ganflow_home=tmp_path, ray_address=None, mlflow_tracking_uri=None, ganflow_storage=None)
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
    write_version(settings.resident_dir, MD5, {"train": DecodedSplit(images.shape, [(images, np.arange(40) % 2)])})
    return settings


def plan(*overrides, resumed=None):
    config = apply_overrides(debug(), overrides)
    header = checkpoint_header(config, INFO, MD5)
    return TrainingPlan(config, CurrentDataset(MD5, INFO, ""), header, resumed, None, ())


def test_a_forecast_counts_and_measures_and_leaves_nothing(settings, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    found = forecast(settings, plan(), 1)
    assert sorted(tmp_path.rglob("*")) == before
    assert found.choice == "fp32"
    assert set(found.rates) == {"fp32"}, "what the configuration rules out is no candidate"
    assert found.total_nimg == 2016
    assert found.seconds == pytest.approx(2016 / found.rates["fp32"])
    assert found.dataset_bytes == 40 * 16 * 16
    assert found.images.startswith("training images: 10,240 bytes, held in memory: within the ")
    assert found.cost["training_bytes"] > 4 * found.cost["generator_parameters"] > 0
    assert found.needed_bytes < found.free_bytes


def test_what_is_left_of_a_resumed_run_is_counted_and_precision_left_open_is_measured(settings):
    resumed = Unfinished("cafe", replace(plan().header, cur_nimg=1024))
    found = forecast(settings, plan("train.precision=auto", resumed=resumed), 1)
    native = native_bf16(torch.device("cpu"))
    assert set(found.rates) == ({"fp32", "bf16"} if native else {"fp32"}), "what is emulated is not tried"
    assert found.choice in found.rates
    assert (found.resumes, found.first_nimg) == ("cafe", 1024)
    assert found.seconds == pytest.approx((2016 - 1024) / found.rates[found.choice])


def test_images_that_a_worker_may_not_hold_do_not_count(settings):
    found = forecast(settings.model_copy(update={"ganflow_feed_memory": 100}), plan(), 1)
    assert found.images.startswith("training images: 10,240 bytes, read from disk beside the step: more than the ")
    assert found.dataset_bytes == 0
    assert found.choice == "fp32"


def test_a_step_beyond_the_memory_is_not_tried(settings):
    batch = 2**26
    found = forecast(settings, plan(f"train.batch_size={batch}"), 1)
    assert found.needed_bytes > psutil.virtual_memory().total
    assert (found.choice, found.rates, found.seconds) == (None, {}, None)


def test_more_workers_than_there_are_cpus_are_refused(settings):
    with pytest.raises(ResourcesError, match="999 workers were asked for"):
        forecast(settings, plan(), 999)
