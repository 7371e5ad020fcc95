"""The loop: reports, schedules, resuming to the bit, and what it refuses to resume."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan.checkpoint import TENSORS, is_complete
from gan.config import Config, DataConfig, NetworkConfig, TrainConfig
from gan.context import LocalContext, Progress
from gan.errors import CheckpointError
from gan.loop import Means, crossed, step_settings, train

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (11, 8, 8, 1), dtype=np.uint8), RNG.integers(0, 3, 11)
PARTS = ("G", "D", "G_ema", "G_optimizer", "D_optimizer")


class KilledError(Exception):
    """Stands for a kill."""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def config(**changes):
    settings = {"total_kimg": 0.048, "batch_size": 8, "flip": True, "checkpoint_kimg": 0.008, "log_kimg": 0.016}
    return Config(
        data=DataConfig(resolution=8),
        network=NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=8, expansion=1),
        train=TrainConfig(**settings | {"snapshot_kimg": 0.024} | changes),
    )


def header(config):
    return {
        "config": config.model_dump(mode="json"),
        "training_hash": config.training_hash(),
        "dataset_md5": "abc",
        "channels": 1,
        "num_classes": 3,
        "class_names": ["a", "b", "c"],
    }


def run(folder, *, stop_at=None, records=None, **changes):
    def watch(progress):
        if records is not None:
            records.append(progress)
        if stop_at is not None and progress.cur_nimg >= stop_at:
            raise KilledError

    chosen = config(**changes)
    return train(chosen, IMAGES, LABELS, LocalContext(folder, watch, CPU), header(chosen))


def tensors_of(folder):
    return torch.load(folder / TENSORS, weights_only=True)


def flatten(tree, path=""):
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from flatten(value, f"{path}/{key}")
    elif isinstance(tree, (list, tuple)):
        for key, value in enumerate(tree):
            yield from flatten(value, f"{path}/{key}")
    else:
        yield path, tree


def assert_same_bits(one, other):
    one, other = dict(flatten(one)), dict(flatten(other))
    assert one.keys() == other.keys()
    for path, value in one.items():
        same = torch.equal(value, other[path]) if isinstance(value, torch.Tensor) else value == other[path]
        assert same, path


def last(folder):
    return max(folder.glob("checkpoint-*"))


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run of 48 images that nothing stopped."""
    folder = tmp_path_factory.mktemp("straight")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    records = []
    finished = run(folder, records=records)
    torch.set_num_threads(threads)
    return folder, finished, records


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(straight, tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path, stop_at=32)
    # The record of image 32 came before its checkpoint: that step is lost and done again.
    assert last(tmp_path).name == "checkpoint-000000000024"
    finished = run(tmp_path)
    assert finished.cur_nimg == 48
    assert_same_bits(tensors_of(last(tmp_path)), tensors_of(last(straight[0])))
    assert (last(tmp_path) / "header.json").read_bytes() == (last(straight[0]) / "header.json").read_bytes()


def test_a_finished_run_has_nothing_left_to_do(straight):
    records = []
    again = run(straight[0], records=records)
    assert records == []
    assert_same_bits(again.nets.G_ema.state_dict(), straight[1].nets.G_ema.state_dict())


def test_a_cut_checkpoint_is_passed_over(straight, tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path, stop_at=48)
    cut = tmp_path / "checkpoint-000000000040" / TENSORS
    cut.write_bytes(cut.read_bytes()[:1000])
    records = []
    run(tmp_path, records=records)
    # Images 33 to 48 were trained again, and one log record holds both steps.
    assert [record.cur_nimg for record in records if record.metrics] == [48]
    assert_same_bits(tensors_of(last(tmp_path)), tensors_of(last(straight[0])))


def test_without_a_whole_checkpoint_a_run_begins_anew(straight, tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path, stop_at=16)
    for path in tmp_path.glob("checkpoint-*/sha256.json"):
        path.unlink()
    assert_same_bits(run(tmp_path).nets.G.state_dict(), straight[1].nets.G.state_dict())


def test_the_last_two_checkpoints_are_kept_and_hold_no_pickled_objects(straight):
    folder, finished, _ = straight
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-000000000040", "checkpoint-000000000048"]
    assert is_complete(last(folder))
    tensors = tensors_of(last(folder))
    assert set(tensors) == set(PARTS)
    assert_same_bits(tensors["G_ema"], finished.nets.G_ema.state_dict())
    found = json.loads((last(folder) / "header.json").read_text())
    assert found["cur_nimg"] == 48
    assert Config.model_validate(found["config"]) == config()
    assert found["training_hash"] == config().training_hash()


@pytest.mark.parametrize(
    ("changes", "other", "key"),
    [
        ({"total_kimg": 0.1}, {}, "training_hash"),
        ({}, {"dataset_md5": "def"}, "dataset_md5 is abc but this run's is def"),
        ({}, {"num_classes": 4}, "num_classes is 3 but this run's is 4"),
    ],
)
def test_another_runs_checkpoint_is_refused(straight, changes, other, key):
    chosen = config(**changes)
    with pytest.raises(CheckpointError, match=key):
        train(chosen, IMAGES, LABELS, LocalContext(straight[0], device=CPU), header(chosen) | other)


def test_what_does_not_change_the_training_does_not_stop_resuming(straight):
    chosen = config().model_copy(update={"preset": "other"})
    assert train(chosen, IMAGES, LABELS, LocalContext(straight[0], device=CPU), header(chosen)).cur_nimg == 48


def test_reports(straight):
    _, finished, records = straight
    logged = [record for record in records if record.metrics]
    assert [record.cur_nimg for record in logged] == [16, 32, 48]
    assert {record.total_nimg for record in records} == {48}
    names = {"D_loss", "G_loss", "r1", "r2", "real_logits", "fake_logits"}
    assert all(set(record.metrics) == names for record in logged)
    assert all(math.isfinite(value) for record in logged for value in record.metrics.values())
    pictures = [record for record in records if record.samples is not None]
    assert [record.cur_nimg for record in pictures] == [24, 48]
    assert pictures[-1].samples.shape == (30, 8, 8, 1)
    assert pictures[-1].samples.dtype == np.uint8
    np.testing.assert_array_equal(pictures[-1].samples, finished.samples())


def test_the_first_loss_is_that_of_equal_logits_about_zero(straight):
    # Relativistic losses of a fresh pair lie around log 2, and the means are per image, not per batch or worker.
    assert 0.2 < straight[2][0].metrics["G_loss"] < 2.0


def test_equal_seeds_give_equal_runs_and_others_do_not(straight, tmp_path):
    same = run(tmp_path / "same").nets.G.state_dict()
    assert_same_bits(same, straight[1].nets.G.state_dict())
    other = run(tmp_path / "other", seed=1, total_kimg=0.008).nets.G.state_dict()
    assert not torch.equal(other["modulation.weight"], same["modulation.weight"])


def test_step_settings_follow_the_schedules():
    chosen = config()
    first, end = step_settings(chosen, 0), step_settings(chosen, 48)
    assert (first.batch_size, first.r1_gamma, first.r2_gamma) == (8, 1.0, 1.0)
    assert first.lr == pytest.approx(2e-4)
    assert step_settings(chosen, 24).lr == pytest.approx(1.25e-4)
    assert end.lr == pytest.approx(5e-5)
    assert first.ema_decay == pytest.approx(2**-10)


@pytest.mark.parametrize(
    ("cur_nimg", "batch_size", "every_kimg", "wanted"),
    [
        (8, 8, 0.016, False),
        (16, 8, 0.016, True),
        (24, 8, 0.016, False),
        (20, 8, 0.016, True),
        (64, 64, 0.001, True),
        (8, 8, 0.0001, True),
    ],
)
def test_crossed(cur_nimg, batch_size, every_kimg, wanted):
    assert crossed(cur_nimg, batch_size, every_kimg) is wanted


def test_means_are_over_all_images_of_all_workers_since_the_last_flush(tmp_path):
    class TwoWorkers(LocalContext):
        def all_reduce(self, tensor):
            tensor.mul_(2)

    context = TwoWorkers(tmp_path, device=CPU)
    means = Means()
    means.add({"a": torch.tensor(3.0), "b": torch.tensor(1.0)}, 4)
    means.add({"a": torch.tensor(5.0), "b": torch.tensor(1.0)}, 4)
    assert means.flush(context) == {"a": 2.0, "b": 0.5}
    means.add({"a": torch.tensor(1.0)}, 4)
    assert means.flush(context) == {"a": 0.5}


def test_unlabelled_images_and_no_classes(tmp_path):
    chosen = config(total_kimg=0.008)
    context = LocalContext(tmp_path, device=CPU)
    labels = np.full(11, -1)
    finished = train(chosen, IMAGES, labels, context, header(chosen) | {"num_classes": 0, "class_names": []})
    assert finished.samples().shape == (100, 8, 8, 1)


def test_a_local_run_without_listener_reports_to_nobody(tmp_path):
    LocalContext(tmp_path, device=CPU).report(Progress(1, 2))


def test_any_object_with_the_configs_attributes_will_do(tmp_path):
    # A GPU machine may have torch and numpy and nothing else: a configuration then comes from its JSON.
    chosen = config()
    plain = json.loads(chosen.model_dump_json(), object_hook=lambda tree: SimpleNamespace(**tree))
    finished = train(plain, IMAGES, LABELS, LocalContext(tmp_path / "plain", None, CPU), header(chosen))
    expected = run(tmp_path / "pydantic")
    for name, value in expected.nets.G_ema.state_dict().items():
        assert torch.equal(value, finished.nets.G_ema.state_dict()[name])
