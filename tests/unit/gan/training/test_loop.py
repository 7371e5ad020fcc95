"""The loop: what it reports and when, what it keeps, and how it counts."""

import json
import math
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan.configuration.config import AugmentConfig, Config, LossConfig
from gan.objective.augment import OPERATIONS
from gan.training import loop
from gan.training.checkpoint import TENSORS, is_complete
from gan.training.choice import Choice
from gan.training.context import LocalContext, Notice, Progress
from gan.training.loop import run_training

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
    assert found["choice"] == {
        "bf16": False,
        "compiled": False,
        "rates": {},
        "spared": 0,
        "tf32": False,
        "captured": False,
    }


def test_reports(straight):
    _, finished, records = straight
    assert records[0].images.startswith("training images: 704 bytes, held in memory: within the ")
    assert records[1] == Progress(0, 48, choice="fp32")
    logged = [record for record in records if record.metrics]
    assert [record.cur_nimg for record in logged] == [16, 32, 48]
    assert {record.total_nimg for record in records} == {48}
    losses = {"D_loss", "G_loss", "D_sign", "r1", "r2", "real_logits", "fake_logits"}
    names = losses | {"images_per_second", "feed_share", "checkpoint_share", "cpu_cores"}
    assert all(set(record.metrics) == names for record in logged)
    assert all(math.isfinite(value) for record in logged for value in record.metrics.values())
    pictures = [record for record in records if record.samples is not None]
    assert [record.cur_nimg for record in pictures] == [48]
    assert pictures[-1].samples.shape == (30, 8, 8, 1)
    assert pictures[-1].samples.dtype == np.uint8
    np.testing.assert_array_equal(pictures[-1].samples, finished.samples())


def test_the_first_loss_is_that_of_equal_logits_about_zero(straight):
    # Relativistic losses of a fresh pair lie around log 2, and the means are per image, not per batch or worker.
    assert 0.2 < straight[2][2].metrics["G_loss"] < 2.0


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
        ("augment", {"operations": ("colour",), "target": 0.5, "adapt_kimg": 0.01}),
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

    def choose(trial):
        asked.append((len(trial.feed.labels), trial.context.device, trial.shares))
        return Choice(True, False, {"fp32": 10.0, "bf16": 20.4})

    monkeypatch.setattr(loop, "choose", choose)
    records = []
    config = tiny.config(train={"precision": "auto"})
    finished = tiny.run(tmp_path, config, records=records)
    assert asked == [(11, CPU, [(0, 8)])]
    assert records[1] == Progress(0, 48, choice="bf16 (img/s: fp32 10, bf16 20)")
    assert json.loads((tiny.last(tmp_path) / "header.json").read_text())["choice"]["bf16"] is True
    rounded = tiny.run(tmp_path / "bf16", tiny.config(train={"precision": "bf16"}))
    torch.testing.assert_close(dict(finished.nets.G.state_dict()), dict(rounded.nets.G.state_dict()), rtol=0, atol=0)


def test_images_that_are_read_from_disk_train_the_same(tiny, straight, tmp_path):
    np.save(tmp_path / "images.npy", tiny.images)
    mapped, records = np.load(tmp_path / "images.npy", mmap_mode="r"), []
    context = LocalContext(tmp_path / "run", records.append, CPU)
    arguments = (tiny.config(), mapped, tiny.labels, context, tiny.header(tiny.config()))
    finished = run_training(*arguments, feed_memory=10)
    assert "read from disk beside the step: more than the 10 bytes that this worker may hold" in records[0].images
    torch.testing.assert_close(
        dict(finished.nets.G_ema.state_dict()), dict(straight[1].nets.G_ema.state_dict()), rtol=0, atol=0
    )


def test_no_reader_is_left_behind_by_a_run_that_was_killed(tiny, tmp_path):
    np.save(tmp_path / "images.npy", tiny.images)
    mapped, alive = np.load(tmp_path / "images.npy", mmap_mode="r"), []

    def readers():
        return [thread for thread in threading.enumerate() if thread.name.startswith("training-images")]

    def kill(progress):
        if progress.cur_nimg >= 24:
            alive.extend(readers())
            raise tiny.killed

    context = LocalContext(tmp_path / "run", kill, CPU)
    with pytest.raises(tiny.killed):
        run_training(tiny.config(), mapped, tiny.labels, context, tiny.header(tiny.config()), feed_memory=0)
    assert alive
    assert readers() == []


class Noticed(LocalContext):
    """A run that is given a notice after its third step."""

    def __init__(self, folder, notice):
        super().__init__(folder, device=CPU)
        self.notices = iter([Notice.NONE, Notice.NONE, notice])

    def notice(self):
        return next(self.notices, Notice.NONE)


@pytest.mark.parametrize(("notice", "reached"), [(Notice.SAVE, 48), (Notice.LEAVE, 24)], ids=str)
def test_a_notice_is_heeded_after_the_step_and_training_again_goes_on(tiny, straight, tmp_path, notice, reached):
    config = tiny.config()
    arguments = tiny.images, tiny.labels, Noticed(tmp_path, notice), tiny.header(config)
    left = run_training(config, *arguments)
    assert (left.cur_nimg, left.finished) == (reached, notice is Notice.SAVE)
    assert tiny.last(tmp_path).name == f"checkpoint-{reached:012}"
    finished = run_training(config, tiny.images, tiny.labels, LocalContext(tmp_path, device=CPU), tiny.header(config))
    torch.testing.assert_close(
        dict(finished.nets.G_ema.state_dict()), dict(straight[1].nets.G_ema.state_dict()), rtol=0, atol=0
    )


def test_unlabelled_images_and_no_classes(tiny, tmp_path):
    config = tiny.config(train={"total_kimg": 0.008})
    header = replace(tiny.header(config), num_classes=0, class_names=())
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


def test_a_steered_probability_is_told_and_moves_by_each_step_alike(tiny, tmp_path):
    """48 images in steps of 8, and 0.08 kimg from one end to the other: a tenth up or down at each step."""
    steered = AugmentConfig(operations=("colour",), probability=0.5, target=1.0, adapt_kimg=0.08)
    records = []
    tiny.run(tmp_path, tiny.config(augment=steered, train={"log_kimg": 0.008}), records=records)
    found = [record.metrics["augment_probability"] for record in records if record.metrics]
    # D is hardly ever sure of all eight, and then it stays
    assert found == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0, 0.0], abs=1e-6)
