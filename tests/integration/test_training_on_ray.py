"""Checkpoints of a training on a real Ray of this machine: damaged ones, and those of another run."""

import shutil

import numpy as np
import pytest
import torch

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import debug
from gan.data.store.resident_cache import DecodedSplit, write_version
from gan.errors import CheckpointError, DatasetError
from gan.training.checkpoint import TENSORS, load_header, load_tensors
from gan.training.header import Header, WarmStartRecord
from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.settings import Settings
from tasks.train.resources import WorkerRange
from tasks.train.run_storage import WARM_START, RunStorage
from tasks.train.trainer import train_on_ray

pytestmark = pytest.mark.integration
MD5 = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    settings = Settings(ganflow_home=home, ray_address=None, mlflow_tracking_uri=None, ganflow_storage=None)
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
    write_version(settings.resident_dir, MD5, {"train": DecodedSplit(images.shape, [(images, np.arange(40) % 2)])})
    with ray_cluster(settings):
        yield settings


def train(settings, destination, name, *, workers=1, warm_start=None, overrides=(), records=None):
    """Train for 3 steps with a checkpoint after each; returns result, steps seen, warnings, and choices."""
    config = apply_overrides(
        debug(),
        ["train.total_kimg=0.096", "train.checkpoint_kimg=0.032", "train.log_kimg=0.032", *overrides],
    )
    header = Header(
        config=config.model_dump(mode="json"),
        warm_start=warm_start,
        training_hash=config.training_hash(),
        dataset_md5=MD5,
        channels=1,
        num_classes=2,
        class_names=("a", "b"),
    )
    records, said, logs = [] if records is None else records, [], []
    result = train_on_ray(
        config,
        header,
        settings,
        name=name,
        workers=WorkerRange.parse(workers),
        destination=destination,
        on_progress=records.append,
        on_warning=said.append,
        on_log=logs.append,
    )
    assert [(log.log_of, log.failed) for log in logs] == [(0, False)]
    choices = [record.choice for record in records if record.choice]
    return result, [record.cur_nimg for record in records if record.metrics], said, choices


def parameters(folder):
    return torch.cat([value.flatten() for value in load_tensors(folder, torch.device("cpu"))["G"].values()])


@pytest.fixture(scope="module")
def whole(settings):
    """The checkpoint of a run that went well, as each test may have it under a name of its own."""
    result, seen, said, choices = train(settings, settings.home / "whole", "whole")
    assert (seen, said, choices) == ([32, 64, 96], [], ["fp32"])
    return result.checkpoint


def copy_of_whole(settings, name):
    """Give the run a second name; returns its folder."""
    runs = settings.state_dir / "runs"
    return shutil.copytree(runs / "whole", runs / name)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(settings, whole, tmp_path, workers):
    name = f"damaged-{workers}"
    if workers == 1:
        copy_of_whole(settings, name)
    else:
        trained, seen, said, choices = train(settings, tmp_path / "whole", name, workers=workers)
        assert (seen, said, choices) == ([32, 64, 96], [], ["fp32"])
        whole = trained.checkpoint
    storage = RunStorage(settings.storage, name)
    newest, before = storage.checkpoints()
    assert [storage.header(each).cur_nimg for each in (newest, before)] == [96, 64]
    tensors = settings.state_dir / "runs" / name / newest / TENSORS
    tensors.write_bytes(tensors.read_bytes()[:1000])

    result, seen, said, _ = train(settings, tmp_path / "again", name, workers=workers)
    assert seen == [96], "the 32 images after the checkpoint that is whole, and no others"
    assert said == [f"{newest} is cut short or altered: training goes on from {before}"]
    assert load_header(result.checkpoint).cur_nimg == result.cur_nimg == 96
    assert torch.equal(parameters(result.checkpoint), parameters(whole)), "resumed to the bit"


@pytest.mark.slow
def test_images_that_a_worker_may_not_hold_make_the_same_network(settings, whole, tmp_path):
    records = []
    little = settings.model_copy(update={"ganflow_feed_memory": 1000})
    result, seen, said, _ = train(little, tmp_path / "read", "read", records=records)
    assert (seen, said) == ([32, 64, 96], [])
    (told,) = (record.images for record in records if record.images)
    assert told.startswith("training images: 10,240 bytes, read from disk beside the step: more than the 1,000 bytes ")
    assert torch.equal(parameters(result.checkpoint), parameters(whole))


def test_an_error_that_one_rank_alone_explains_ends_both(settings, tmp_path, monkeypatch):
    def second_rank_fails(arguments):
        import ray.train

        from tasks.train.worker import train_worker

        if ray.train.get_context().get_world_rank() == 1:
            raise DatasetError("this node has no dataset: give it one")
        train_worker(arguments)

    monkeypatch.setattr("tasks.train.worker.train_worker", second_rank_fails)
    with pytest.raises(DatasetError, match=r"^this node has no dataset: give it one$"):
        train(settings, tmp_path / "out", "one-rank", workers=2)


@pytest.mark.slow
def test_where_no_checkpoint_is_whole_training_does_not_begin_again_in_silence(settings, whole, tmp_path):
    for tensors in copy_of_whole(settings, "ruined").glob(f"*/{TENSORS}"):
        tensors.write_bytes(b"")
    with pytest.raises(CheckpointError, match="is no complete checkpoint"):
        train(settings, tmp_path / "again", "ruined")


@pytest.mark.slow
def test_a_run_goes_on_where_a_kill_cut_rays_own_list_short(settings, whole, tmp_path):
    storage = RunStorage(settings.storage, "listless")
    (snapshot,) = copy_of_whole(settings, "listless").glob("*.json")
    snapshot.write_text(snapshot.read_text()[:40])
    result, seen, said, _ = train(settings, tmp_path / "again", "listless")
    assert (seen, said, result.cur_nimg) == ([], [], 96)
    assert storage.header(storage.checkpoints()[0]).cur_nimg == 96


@pytest.mark.slow
def test_a_warm_start_begins_with_the_networks_of_the_other_run(settings, whole, tmp_path):
    record = WarmStartRecord(version=1, run_id="whole", dataset_md5=MD5)
    RunStorage(settings.storage, "second").keep(whole, WARM_START)
    still = ("optimizer.lr=1e-30", "optimizer.final_lr=1e-30")  # what it began with, it ends with
    second, seen, said, _ = train(settings, tmp_path / "second", "second", warm_start=record, overrides=still)
    assert (seen, said) == ([32, 64, 96], [])
    assert load_header(second.checkpoint).warm_start == record
    torch.testing.assert_close(parameters(second.checkpoint), parameters(whole), rtol=0, atol=1e-12)
