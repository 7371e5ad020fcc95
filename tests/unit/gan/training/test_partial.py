"""Beginning with what fits of another run's networks, and stages that keep it."""

import copy

import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import preset
from gan.errors import CheckpointError, ConfigError
from gan.networks.build import build_discriminator, build_generator
from gan.networks.interface import trained
from gan.training.checkpoint import load_tensors
from gan.training.context import LocalContext
from gan.training.loop import run_training
from gan.training.partial import freeze_stages, take_fitting

CPU = torch.device("cpu")
R3GAN = {"latent_dim": 4, "embedding_dim": 4, "group_width": 8, "expansion": 1}
DCGAN = {"architecture": "dcgan", "latent_dim": 4, "embedding_dim": 4}
SHAPE = {"channels": 1, "num_classes": 3}


def networks(shape, widths, seed, **changes):
    torch.manual_seed(seed)
    network = NetworkConfig(**shape, widths=widths)
    return build_generator(network, **SHAPE | changes), build_discriminator(network, **SHAPE | changes)


@pytest.mark.parametrize("shape", [R3GAN, DCGAN], ids=["r3gan", "dcgan"])
def test_the_same_networks_fit_wholly(shape):
    for one, other in zip(networks(shape, (8, 8), 0), networks(shape, (8, 8), 1), strict=True):
        fit = take_fitting(other, one.state_dict())
        assert not fit.new
        torch.testing.assert_close(dict(other.state_dict()), dict(one.state_dict()), rtol=0, atol=0)
        assert fit.told("G") == f"G: all {len(fit.taken)}"


def test_twice_the_resolution_leaves_new_what_the_image_meets():
    small, large = networks(R3GAN, (8, 8), 0), networks(R3GAN, (8, 8, 8), 1)
    G, D = (take_fitting(other, one.state_dict()) for one, other in zip(small, large, strict=True))
    assert {name.rpartition(".conv")[0] for name in G.new if name.startswith("stages")} == {"stages.2.0"}
    # what was first behind the image lies a stage further in now
    assert {name.rpartition(".conv")[0] for name in D.new if name.startswith("stages")} == {"stages.0.0"}
    assert torch.equal(large[1].stages[1][0].conv1.weight, small[1].stages[0][0].conv1.weight)
    assert torch.equal(large[1].transitions[1].weight, small[1].transitions[0].weight)
    assert "transitions.0.weight" in D.new
    assert D.told("D").startswith(f"D: {len(D.taken)} of {len(D.taken) + len(D.new)}, new are ")


def test_half_the_resolution_drops_the_stages_that_there_are_no_more():
    large, small = networks(DCGAN, (8, 8, 8), 0)[1], networks(DCGAN, (8, 8), 1)[1]
    fit = take_fitting(small, large.state_dict())
    assert fit.new == ("convs.0.weight",)  # which meets images, and not what a stage before it makes
    assert torch.equal(small.convs[1].weight, large.convs[2].weight)


def test_other_classes_leave_new_what_knows_them():
    G, D = (
        take_fitting(other, one.state_dict())
        for one, other in zip(networks(R3GAN, (8,), 0), networks(R3GAN, (8,), 1, num_classes=5), strict=True)
    )
    assert G.new == D.new == ("embedding.weight",)


@pytest.mark.parametrize("tensors", [None, [], {"basis": 3}, {"basis": torch.zeros(1)}, {7: torch.zeros(8, 4, 4)}])
def test_what_is_no_state_or_fits_nowhere_changes_nothing(tensors):
    G, _ = networks(R3GAN, (8,), 0)
    before = copy.deepcopy(G.state_dict())
    assert not take_fitting(G, tensors).taken
    torch.testing.assert_close(dict(G.state_dict()), dict(before), rtol=0, atol=0)


class Told(LocalContext):
    """Keeps what it is told."""

    def __init__(self, folder):
        super().__init__(folder, device=CPU)
        self.sentences = []

    def warn(self, sentence):
        self.sentences.append(sentence)


def begun(tiny, folder, config, start_from):
    context = Told(folder)
    run = run_training(config, tiny.images, tiny.labels, context, tiny.header(config), start_from)
    return run, context.sentences


@pytest.fixture(scope="module")
def other(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    tiny.run(folder, tiny.config(network=R3GAN | {"widths": (8,), "patch": 2}))
    return tiny.last(folder)


def test_a_run_begins_with_what_fits_and_says_how_much(tiny, tmp_path, other):
    config = tiny.config(network=R3GAN | {"widths": (8, 8)}, train={"warm_start": "fitting"})
    run, sentences = begun(tiny, tmp_path, config, other)
    assert run.finished
    (sentence,) = sentences
    assert sentence.startswith("this run begins with those tensors of the other model that fit it: G: ")
    assert "; D: " in sentence


def test_without_the_word_another_shape_is_refused(tiny, tmp_path, other):
    with pytest.raises(CheckpointError, match="training cannot start from"):
        begun(tiny, tmp_path, tiny.config(network=R3GAN | {"widths": (8, 8)}), other)


def test_where_nothing_fits_there_is_no_start(tiny, tmp_path, other):
    config = tiny.config(network={"architecture": "dcgan", "widths": (6,)}, train={"warm_start": "fitting"})
    with pytest.raises(CheckpointError, match="no tensor of its networks has the name and shape"):
        begun(tiny, tmp_path, config, other)


@pytest.mark.parametrize("shape", [R3GAN, DCGAN], ids=["r3gan", "dcgan"])
def test_frozen_stages_are_those_next_to_the_image(shape):
    D = networks(shape, (8, 8, 8), 0)[1]
    everything = len(trained(D))
    freeze_stages(D, 1)
    held = {
        name.rpartition(".")[0].split(".0.conv")[0] for name, each in D.named_parameters() if not each.requires_grad
    }
    assert held == ({"from_image", "stages.0"} if shape is R3GAN else {"convs.0"})
    assert 0 < len(trained(D)) < everything


@pytest.mark.parametrize("kind", ["whole", "fitting"])
def test_frozen_stages_keep_what_they_were_given_and_others_learn(tiny, tmp_path, kind):
    tiny.run(tmp_path / "first")
    began = load_tensors(tiny.last(tmp_path / "first"), CPU)["D"]
    config = tiny.config(train={"freeze_d": 1, "warm_start": kind, "accumulate": 2})
    run, _ = begun(tiny, tmp_path / "second", config, tiny.last(tmp_path / "first"))
    same = {name for name, value in run.nets.D.state_dict().items() if torch.equal(value, began[name])}
    assert {name.split(".")[0] + name.split(".")[1] for name in same} == {"from_imageweight", "stages0"}
    assert all(each.requires_grad == (name not in same) for name, each in run.nets.D.named_parameters())


def test_with_frozen_stages_a_run_that_was_stopped_goes_on_to_the_same_bits(tiny, tmp_path):
    tiny.run(tmp_path / "first")
    config = tiny.config(train={"freeze_d": 1})
    start = tiny.last(tmp_path / "first")
    tiny.run(tmp_path / "straight", config, start_from=start)
    with pytest.raises(tiny.killed):
        tiny.run(tmp_path / "stopped", config, stop_at=32, start_from=start)
    tiny.run(tmp_path / "stopped", config, start_from=start)
    found, wanted = (load_tensors(tiny.last(tmp_path / name), CPU) for name in ("stopped", "straight"))
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "frozen", "sentence"),
    [
        ("fashion-mnist", 3, "train.freeze_d is 3 but network.widths has 3 stages"),
        ("few-shot-64", 1, "train.freeze_d is 1 but network.architecture projected has features that are never"),
    ],
)
def test_something_of_the_discriminator_has_to_learn(name, frozen, sentence):
    with pytest.raises(ConfigError, match=sentence):
        apply_overrides(preset(name), [f"train.freeze_d={frozen}"])
