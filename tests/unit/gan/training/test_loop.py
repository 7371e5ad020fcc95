"""The loop: what it reports and when, what it keeps, and how it counts."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan.configuration.config import AugmentConfig, Config, LossConfig
from gan.objective.augment import OPERATIONS
from gan.training import loop
from gan.training.checkpoint import TENSORS, is_complete
from gan.training.context import LocalContext, Progress, SingleWorker
from gan.training.loop import Means, crossed, doubled, run_training
from gan.training.probe import Choice

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def straight(tiny, tmp_path_factory):
    """A run of 48 images that nothing stopped."""
    folder, records = tmp_path_factory.mktemp("straight"), []
    return folder, tiny.run(folder, records=records), records


def test_the_last_two_checkpoints_are_kept_and_hold_tensors_alone(tiny, straight):
    folder, finished, _ = straight
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-000000000040", "checkpoint-000000000048"]
    last = tiny.last(folder)
    assert is_complete(last)
    tensors = torch.load(last / TENSORS, weights_only=True)
    assert set(tensors) == {"G", "D", "G_ema", "G_optimizer", "D_optimizer"}
    torch.testing.assert_close(tensors["G_ema"], dict(finished.nets.G_ema.state_dict()), rtol=0, atol=0)
    found = json.loads((last / "header.json").read_text())
    assert found["cur_nimg"] == 48
    assert Config.model_validate(found["config"]) == tiny.config()
    assert found["training_hash"] == tiny.config().training_hash()
    assert found["choice"] == {"bf16": False, "compiled": False, "rates": {}, "spared": 0}


def test_reports(straight):
    _, finished, records = straight
    assert records[0] == Progress(0, 48, choice="fp32")
    logged = [record for record in records if record.metrics]
    assert [record.cur_nimg for record in logged] == [16, 32, 48]
    assert {record.total_nimg for record in records} == {48}
    names = {"D_loss", "G_loss", "D_sign", "r1", "r2", "real_logits", "fake_logits", "images_per_second"}
    assert all(set(record.metrics) == names for record in logged)
    assert all(math.isfinite(value) for record in logged for value in record.metrics.values())
    pictures = [record for record in records if record.samples is not None]
    assert [record.cur_nimg for record in pictures] == [48]
    assert pictures[-1].samples.shape == (30, 8, 8, 1)
    assert pictures[-1].samples.dtype == np.uint8
    np.testing.assert_array_equal(pictures[-1].samples, finished.samples())


def test_between_two_marks_it_says_how_far_it_is(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "TELL_SECONDS", 0.0)
    records = []
    tiny.run(tmp_path, tiny.config(train={"log_kimg": 0.032}), records=records)
    told = [record for record in records if record.rate]
    marks = [record.cur_nimg for record in records if "images_per_second" in record.metrics]
    assert all(record.rate > 0 and not record.metrics for record in told)
    assert {record.cur_nimg for record in told}.isdisjoint(marks)
    assert len(told) > len(marks)


def test_snapshots_come_at_powers_of_two_and_at_the_end(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "FIRST_SNAPSHOT", 16)
    records = []
    tiny.run(tmp_path, tiny.config(train={"total_kimg": 0.07, "checkpoint_kimg": 1.0}), records=records)
    assert [record.cur_nimg for record in records if record.samples is not None] == [16, 32, 64, 72]


def test_the_first_loss_is_that_of_equal_logits_about_zero(straight):
    # Relativistic losses of a fresh pair lie around log 2, and the means are per image, not per batch or worker.
    assert 0.2 < straight[2][1].metrics["G_loss"] < 2.0


def test_equal_seeds_give_equal_runs_and_others_do_not(tiny, straight, tmp_path):
    same = tiny.run(tmp_path / "same").nets.G.state_dict()
    torch.testing.assert_close(dict(same), dict(straight[1].nets.G.state_dict()), rtol=0, atol=0)
    other = tiny.run(tmp_path / "other", tiny.config(train={"seed": 1, "total_kimg": 0.008})).nets.G.state_dict()
    assert not torch.equal(other["modulation.weight"], same["modulation.weight"])


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        ("loss", {"kind": "hinge"}),
        ("loss", {"r1_gamma": 0.0}),
        ("loss", {"r2_gamma": 0.0}),
        ("loss", {"final_r1_gamma": 0.0}),
        ("loss", {"final_r2_gamma": 0.0}),
        ("loss", {"gradient_penalty": 10.0}),
        ("loss", {"penalty_every": 2}),
        ("augment", {"operations": ("colour",)}),
        ("augment", {"operations": tuple(OPERATIONS), "probability": 0.0, "final_probability": 1.0}),
        ("optimizer", {"lr": 1e-3}),
        ("optimizer", {"final_lr": 1e-3}),
        ("optimizer", {"beta1": 0.5}),
        ("optimizer", {"beta2": 0.5}),
        ("optimizer", {"final_beta2": 0.5}),
        ("train", {"generator_every": 2}),
        ("train", {"ema_halflife_kimg": 0.0}),
        ("train", {"ema_halflife_kimg": 0.002, "final_ema_halflife_kimg": 0.0}),
        ("train", {"flip": False}),
        ("train", {"precision": "bf16"}),
    ],
)
def test_every_setting_reaches_the_training(tiny, straight, tmp_path, section, changes):
    config = tiny.config()
    changed = config.model_copy(update={section: getattr(config, section).model_copy(update=changes)})
    found = tiny.run(tmp_path, Config.model_validate(changed.model_dump())).nets.G_ema.state_dict()
    usual = straight[1].nets.G_ema.state_dict()
    assert not all(torch.equal(found[name], value) for name, value in usual.items())


def test_augmentation_that_never_comes_changes_nothing_that_matters(tiny, straight, tmp_path):
    never = tiny.config(augment=AugmentConfig(operations=tuple(OPERATIONS), probability=0.0))
    found = tiny.run(tmp_path, never).nets.G_ema.state_dict()
    torch.testing.assert_close(dict(found), dict(straight[1].nets.G_ema.state_dict()), rtol=1e-2, atol=1e-4)


def test_lazy_penalties_are_reported_as_means_of_the_steps_that_have_them(tiny, tmp_path):
    lazy = tiny.config(loss=LossConfig(penalty_every=3), train={"log_kimg": 0.008})
    records = []
    tiny.run(tmp_path, lazy, records=records)
    logged = [record.metrics for record in records if record.metrics]
    assert ["r1" in metrics for metrics in logged] == [True, False, False, True, False, False]


def test_what_the_probe_chose_is_said_and_kept(tiny, tmp_path, monkeypatch):
    asked = []

    def choose(config, nets, objective, feed, context, share):
        asked.append((len(feed.labels), context.device, share))
        return Choice(True, False, {"fp32": 10.0, "bf16": 20.4})

    monkeypatch.setattr(loop, "choose", choose)
    records = []
    config = tiny.config(train={"precision": "auto"})
    finished = tiny.run(tmp_path, config, records=records)
    assert asked == [(11, CPU, (0, 8))]
    assert records[0] == Progress(0, 48, choice="bf16 (img/s: fp32 10, bf16 20)")
    assert json.loads((tiny.last(tmp_path) / "header.json").read_text())["choice"]["bf16"] is True
    rounded = tiny.run(tmp_path / "bf16", tiny.config(train={"precision": "bf16"}))
    torch.testing.assert_close(dict(finished.nets.G.state_dict()), dict(rounded.nets.G.state_dict()), rtol=0, atol=0)


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


@pytest.mark.parametrize(
    ("cur_nimg", "batch_size", "wanted"),
    [
        (512, 64, False),
        (1000, 1000, False),
        (1023, 1, False),
        (1024, 1, True),
        (1024, 64, True),
        (1025, 1, False),
        (1088, 64, False),
        (2000, 2000, True),
        (2048, 64, True),
        (2049, 2, True),
        (2**40, 64, True),
        (2**40 + 64, 64, False),
    ],
)
def test_doubled(cur_nimg, batch_size, wanted):
    assert doubled(cur_nimg, batch_size) is wanted


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100])
def test_every_power_of_two_is_passed_once(batch_size):
    snapshots = [at for at in range(batch_size, 40_000, batch_size) if doubled(at, batch_size)]
    assert snapshots == [-(-(2**power) // batch_size) * batch_size for power in range(10, 16)]


def test_means_are_over_all_images_of_all_workers_since_the_last_flush():
    class TwoWorkers(SingleWorker):
        def all_reduce(self, tensor):
            tensor.mul_(2)

    means = Means()
    means.add({"a": torch.tensor(3.0), "b": torch.tensor(1.0)}, 4)
    means.add({"a": torch.tensor(5.0), "b": torch.tensor(1.0)}, 4)
    assert means.flush(TwoWorkers(CPU)) == {"a": 2.0, "b": 0.5}
    means.add({"a": torch.tensor(1.0), "c": torch.tensor(6.0)}, 4)
    means.add({"a": torch.tensor(1.0)}, 4)
    # a term that only some steps have is a mean over those
    assert means.flush(TwoWorkers(CPU)) == {"a": 0.5, "c": 3.0}


def test_unlabelled_images_and_no_classes(tiny, tmp_path):
    config = tiny.config(train={"total_kimg": 0.008})
    header = tiny.header(config) | {"num_classes": 0, "class_names": []}
    finished = run_training(config, tiny.images, np.full(11, -1), LocalContext(tmp_path, device=CPU), header)
    assert finished.samples().shape == (100, 8, 8, 1)


def test_a_local_run_without_listener_reports_to_nobody(tmp_path):
    LocalContext(tmp_path, device=CPU).report(Progress(1, 2))


def test_any_object_with_the_configs_attributes_will_do(tiny, straight, tmp_path):
    # A GPU machine may have torch and numpy and nothing else: a configuration then comes from its JSON.
    plain = json.loads(tiny.config().model_dump_json(), object_hook=lambda node: SimpleNamespace(**node))
    context = LocalContext(tmp_path, None, CPU)
    finished = run_training(plain, tiny.images, tiny.labels, context, tiny.header(tiny.config()))
    torch.testing.assert_close(
        dict(finished.nets.G_ema.state_dict()), dict(straight[1].nets.G_ema.state_dict()), rtol=0, atol=0
    )
