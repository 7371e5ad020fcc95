"""Resuming to the bit, beginning with another run's networks, and what is refused."""

from dataclasses import replace

import pytest
import torch

from gan.configuration.config import AugmentConfig, EvaluationConfig, LossConfig, OptimizerConfig, ReleaseConfig
from gan.configuration.shaping import WORKED_OFF
from gan.device.machine import machine_facts
from gan.errors import CheckpointError
from gan.objective.augment import OPERATIONS
from gan.training import loop
from gan.training.checkpoint import TENSORS, is_complete, load_header, load_tensors, save_checkpoint
from gan.training.choice import Choice
from gan.training.context import LocalContext, SingleWorker
from gan.training.header import Header
from gan.training.loop import run_training
from gan.training.state import TrainingState, shares_of

CPU = torch.device("cpu")
DCGAN = {"architecture": "dcgan", "widths": (8,), "latent_dim": 4, "embedding_dim": 4}
PROJECTED = {
    "architecture": "projected",
    "widths": (8, 4),
    "latent_dim": 4,
    "embedding_dim": 4,
    "feature_side": 64,
    "mixed_width": 2,
}
NO_PENALTY = {"r1_gamma": 0.0, "r2_gamma": 0.0}
PARTS = ("G", "D", "G_ema", "G_optimizer", "D_optimizer")


def same_bits(tiny, one, other):
    """Whether the newest checkpoints of two folders hold the same numbers."""
    found, wanted = (load_tensors(tiny.last(folder), CPU) for folder in (one, other))
    torch.testing.assert_close(found, wanted, rtol=0, atol=0, equal_nan=False)
    return True


KINDS = {
    "plain": {},
    "augmented": {
        "augment": AugmentConfig(operations=tuple(OPERATIONS), probability=0.1, final_probability=0.9),
    },
    "steered": {
        "augment": AugmentConfig(operations=tuple(OPERATIONS), probability=0.1, target=0.1, adapt_kimg=0.1),
    },
    "lazy": {"loss": LossConfig(penalty_every=4), "train": {"generator_every": 2}},
    "scheduled": {
        "loss": LossConfig(final_r1_gamma=0.1),
        "optimizer": OptimizerConfig(lr=1e-3, final_lr=1e-4, beta1=0.5, beta2=0.9, final_beta2=0.99),
        "train": {"ema_halflife_kimg": 0.0, "final_ema_halflife_kimg": 0.1},
    },
    "bf16": {"train": {"precision": "bf16"}},
    "dcgan, batch normalisation and dropout": {
        "network": DCGAN | {"discriminator_normalisation": "batch", "dropout": 0.3},
        "loss": LossConfig(kind="nonsaturating", **NO_PENALTY),
    },
    "dcgan, spectral normalisation": {
        "network": DCGAN | {"discriminator_normalisation": "spectral"},
        "loss": LossConfig(kind="hinge", **NO_PENALTY),
    },
    "projected": {
        "network": PROJECTED,
        "loss": LossConfig(kind="hinge", **NO_PENALTY),
        "train": {"accumulate": 2},
    },
    "dcgan, gradient penalty": {
        "network": DCGAN,
        "loss": LossConfig(kind="wasserstein", gradient_penalty=10.0, **NO_PENALTY),
        "train": {"generator_every": 2},
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tiny, tmp_path, kind, request):
    if kind == "projected":
        request.getfixturevalue("few_shot_extra")
    config = tiny.config(**KINDS[kind])
    tiny.run(tmp_path / "straight", config)
    with pytest.raises(tiny.killed):
        tiny.run(tmp_path / "stopped", config, stop_at=32)
    # The record of image 32 came before its checkpoint: that step is lost and done again.
    assert tiny.last(tmp_path / "stopped").name == "checkpoint-000000000024"
    records = []
    finished = tiny.run(tmp_path / "stopped", config, records=records)
    assert records[0].cur_nimg == 24
    assert finished.cur_nimg == 48
    assert same_bits(tiny, tmp_path / "stopped", tmp_path / "straight")
    headers = [(tiny.last(tmp_path / name) / "header.json").read_bytes() for name in ("stopped", "straight")]
    assert headers[0] == headers[1]


def test_a_run_goes_on_in_other_pieces_and_from_before_there_were_any(tiny, tmp_path):
    with pytest.raises(tiny.killed):
        tiny.run(tmp_path, stop_at=32)
    folder = tiny.last(tmp_path)
    header = load_header(folder)
    train = {key: value for key, value in header.config["train"].items() if key not in WORKED_OFF}
    assert len(train) < len(header.config["train"])
    before = replace(header, config=header.config | {"train": train})
    save_checkpoint(folder, before, load_tensors(folder, CPU))
    records = []
    finished = tiny.run(tmp_path, tiny.config(train={"accumulate": 3}), records=records)
    assert records[0].cur_nimg == 24
    assert finished.cur_nimg == 48


@pytest.fixture(scope="module")
def straight(tiny, tmp_path_factory):
    """A run of 48 images that nothing stopped."""
    folder = tmp_path_factory.mktemp("straight")
    tiny.run(folder)
    return folder


def test_a_resumed_run_keeps_how_it_computes(tiny, tmp_path, monkeypatch):
    config = tiny.config(train={"precision": "auto"})
    measured = Choice(True, False, {"fp32": 1.0, "bf16": 2.0})
    monkeypatch.setattr(loop, "choose", lambda *_: measured)
    tiny.run(tmp_path / "straight", config)
    with pytest.raises(tiny.killed):
        tiny.run(tmp_path / "stopped", config, stop_at=32)
    monkeypatch.setattr(loop, "choose", lambda *_: pytest.fail("measured again"))
    records = []
    finished = tiny.run(tmp_path / "stopped", config, records=records)
    assert finished.choice == measured
    assert records[1].choice.startswith("bf16 (img/s: ")
    assert same_bits(tiny, tmp_path / "stopped", tmp_path / "straight")


def test_a_run_that_is_told_how_to_compute_measures_nothing(tiny, tmp_path, monkeypatch):
    config = tiny.config(train={"precision": "auto"})
    monkeypatch.setattr(loop, "choose", lambda *_: pytest.fail("measured"))
    told = {"choice": Choice(True, False, {}).as_header()}
    finished = tiny.run(tmp_path / "told", config, header=told)
    assert finished.choice == Choice(True, False, {})
    monkeypatch.setattr(loop, "choose", lambda *_: Choice(True, False, {}))
    tiny.run(tmp_path / "measured", config)
    assert same_bits(tiny, tmp_path / "told", tmp_path / "measured")
    with pytest.raises(CheckpointError, match="the choice of this run was made by another ganflow"):
        tiny.run(tmp_path / "odd", config, header={"choice": {"unknown": 1}})


def test_a_checkpoint_says_what_computed_it(tiny, straight):
    found = load_header(tiny.last(straight)).machine
    assert found == machine_facts(CPU, threads=torch.get_num_threads(), workers=1)


def test_a_finished_run_has_nothing_left_to_do(tiny, straight):
    records = []
    again = tiny.run(straight, records=records)
    assert [(record.cur_nimg, record.choice) for record in records[1:]] == [(48, "fp32")]
    found = load_tensors(tiny.last(straight), CPU)["G_ema"]
    torch.testing.assert_close(dict(again.nets.G_ema.state_dict()), dict(found), rtol=0, atol=0)


def cut(folder):
    path = folder / TENSORS
    path.write_bytes(path.read_bytes()[:1000])


def unfinished(folder):
    (folder / "sha256.json").unlink()


def altered(folder):
    header = folder / "header.json"
    header.write_text(header.read_text().replace('"cur_nimg": 40', '"cur_nimg": 48'))


@pytest.mark.parametrize("damage", [cut, unfinished, altered])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tiny, straight, tmp_path, damage):
    with pytest.raises(tiny.killed):
        tiny.run(tmp_path, stop_at=48)
    damage(tmp_path / "checkpoint-000000000040")
    records = []
    with pytest.warns(UserWarning, match="040 is cut short or altered: training goes on from checkpoint-000000000032"):
        tiny.run(tmp_path, records=records)
    assert records[0].cur_nimg == 32
    # Images 33 to 48 were trained again, and one log record holds both steps.
    assert [record.cur_nimg for record in records if record.metrics] == [48]
    assert same_bits(tiny, tmp_path, straight)


def test_without_a_whole_checkpoint_a_run_begins_anew(tiny, straight, tmp_path):
    with pytest.raises(tiny.killed):
        tiny.run(tmp_path, stop_at=16)
    for path in tmp_path.glob("checkpoint-*/sha256.json"):
        path.unlink()
    records = []
    with pytest.warns(UserWarning, match="checkpoint-000000000008 is cut short"):
        tiny.run(tmp_path, records=records)
    assert records[0].cur_nimg == 0
    assert same_bits(tiny, tmp_path, straight)


@pytest.mark.parametrize(
    ("config", "header", "sentence"),
    [
        ({"train": {"total_kimg": 0.1}}, {}, r"its train\.total_kimg is 0\.048 but this run's is 0\.1"),
        ({"loss": LossConfig(r1_gamma=0.5)}, {}, r"its loss\.r1_gamma is 1\.0 but this run's is 0\.5"),
        (
            {"augment": AugmentConfig(operations=("flip",))},
            {},
            r"its augment\.operations is \[\] but this run's is \['flip'\]",
        ),
        ({}, {"dataset_md5": "def"}, "its dataset_md5 is abc but this run's is def"),
        ({}, {"num_classes": 4}, "its num_classes is 3 but this run's is 4"),
    ],
)
def test_another_runs_checkpoint_is_refused_by_the_first_key_that_differs(tiny, straight, config, header, sentence):
    with pytest.raises(CheckpointError, match=rf"cannot be resumed: {sentence}: start a new run instead"):
        tiny.run(straight, tiny.config(**config), header=header)


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": "other"},
        {"evaluation": EvaluationConfig(num_images=77)},
        {"release": ReleaseConfig(num_images=77)},
    ],
)
def test_what_does_not_change_the_training_does_not_stop_resuming(tiny, straight, changes):
    other = tiny.config().model_copy(update=changes)
    assert other != tiny.config()
    assert tiny.run(straight, other).cur_nimg == 48


def state(run):
    return {name: getattr(run.nets, name).state_dict() for name in PARTS}


def test_a_warm_start_takes_networks_and_optimizers_over_at_image_0(tiny, straight):
    other = tiny.config(train={"seed": 5}, optimizer=OptimizerConfig(lr=0.5, beta1=0.25))
    run = TrainingState(other, SingleWorker(CPU), replace(tiny.header(other), dataset_md5="def"))
    run.start_from(tiny.last(straight))
    assert (run.cur_nimg, run.choice) == (0, None)
    wanted = load_tensors(tiny.last(straight), CPU)
    for name, part in state(run).items():
        if name.endswith("optimizer"):
            torch.testing.assert_close(part["state"], wanted[name]["state"], rtol=0, atol=0)
            assert part["state"][0]["step"] == 6
        else:
            torch.testing.assert_close(dict(part), dict(wanted[name]), rtol=0, atol=0)
    # how optimizers go on is for the new run to say
    for optimizer in (run.nets.G_optimizer, run.nets.D_optimizer):
        assert [group["betas"][0] for group in optimizer.param_groups] == [0.25]


def test_a_run_with_a_warm_start_trains_its_whole_length(tiny, straight, tmp_path):
    records = []
    config = tiny.config(train={"seed": 5})
    warm = tiny.run(tmp_path / "warm", config, records=records, start_from=tiny.last(straight))
    assert records[0].cur_nimg == 0
    assert warm.cur_nimg == 48
    assert load_tensors(tiny.last(tmp_path / "warm"), CPU)["G_optimizer"]["state"][0]["step"] == 12
    cold = tiny.run(tmp_path / "cold", config)
    assert not torch.equal(warm.nets.G.basis, cold.nets.G.basis)


def test_a_run_that_was_stopped_goes_on_from_its_own_checkpoint_and_not_the_warm_start(tiny, straight, tmp_path):
    tiny.run(tmp_path / "straight", start_from=tiny.last(straight))
    with pytest.raises(tiny.killed):
        tiny.run(tmp_path / "stopped", stop_at=32, start_from=tiny.last(straight))
    records = []
    tiny.run(tmp_path / "stopped", records=records, start_from=tiny.last(straight))
    assert records[0].cur_nimg == 24
    assert same_bits(tiny, tmp_path / "stopped", tmp_path / "straight")


@pytest.mark.parametrize(
    ("network", "header", "sentence"),
    [
        (
            {"widths": (16, 8), "latent_dim": 4, "embedding_dim": 4, "group_width": 8, "expansion": 1},
            {},
            r"network\.widths is \[8, 8\] but this run's is \[16, 8\]",
        ),
        (DCGAN, {}, "network.architecture is r3gan but this run's is dcgan"),
        (None, {"channels": 3}, "channels is 1 but this run's is 3"),
        (None, {"num_classes": 4}, "num_classes is 3 but this run's is 4"),
    ],
)
def test_a_warm_start_from_other_shapes_is_refused(tiny, straight, tmp_path, network, header, sentence):
    config = tiny.config(network=network)
    with pytest.raises(CheckpointError, match=f"training cannot start from .*: its {sentence}: train without a warm"):
        tiny.run(tmp_path, config, header=header, start_from=tiny.last(straight))
    assert not list(tmp_path.glob("checkpoint-*"))


def test_a_warm_start_from_half_a_checkpoint_is_refused(tiny, straight, tmp_path):
    with pytest.raises(CheckpointError, match="is no complete checkpoint"):
        tiny.run(tmp_path, start_from=straight)


def test_a_header_of_json_lists_is_that_of_the_configs_tuples(tiny, straight):
    config = tiny.config()
    header = Header.parse(tiny.header(config).to_json(), "it")
    finished = run_training(config, tiny.images, tiny.labels, LocalContext(straight, device=CPU), header)
    assert finished.cur_nimg == 48


def test_a_choice_of_another_ganflow_is_refused(tiny, tmp_path):
    run = tiny.run(tmp_path)
    folder = tiny.last(tmp_path)
    tensors = load_tensors(folder, CPU)
    for choice in ({}, {"bf16": False, "compiled": False, "rates": {}, "unknown": 1}):
        save_checkpoint(folder, tiny.header(tiny.config()).at(48, choice), tensors)
        with pytest.raises(CheckpointError, match="was made by another ganflow"):
            run.restore(folder)


def test_a_snapshot_may_be_written_after_training_went_on(tiny, tmp_path):
    class Late(LocalContext):
        """Writes each checkpoint when the next one comes, and the last one never."""

        late = None

        def save_checkpoint(self, cur_nimg, snapshot):
            if self.late:
                super().save_checkpoint(*self.late)
            write = snapshot()
            self.late = cur_nimg, lambda: write

    config = tiny.config(train={"checkpoint_kimg": 0.016})
    header = tiny.header(config)
    run_training(config, tiny.images, tiny.labels, Late(tmp_path / "late", device=CPU), header)
    run_training(config, tiny.images, tiny.labels, LocalContext(tmp_path / "at-once", device=CPU), header)
    name = "checkpoint-000000000032"
    late, at_once = (load_tensors(tmp_path / each / name, CPU) for each in ("late", "at-once"))
    for part in ("G", "D", "G_ema"):
        assert all(torch.equal(late[part][key], value) for key, value in at_once[part].items())
    assert is_complete(tmp_path / "late" / name)


@pytest.mark.parametrize(
    ("own_batch", "wanted"),
    [
        (False, [[(24, 28)], [(28, 32)]]),
        # D's batch and G's lie behind each other, and every step takes both
        (True, [[(48, 52), (56, 60)], [(52, 56), (60, 64)]]),
    ],
)
def test_the_images_of_a_step_are_one_batch_or_two(tiny, own_batch, wanted):
    config = tiny.config(train={"fresh_generator_batch": own_batch})
    assert config.train.batch_size == 8
    assert [shares_of(config, 24, rank, 2) for rank in range(2)] == wanted
