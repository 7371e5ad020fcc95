"""What the registry's side decides without a registry."""

import pytest
import torch

from gan.configuration.config import Config, DataConfig, NetworkConfig
from gan.errors import CheckpointError, LabelError
from gan.networks.build import build_generator
from gan.training.checkpoint import save_checkpoint
from tasks.tracking.registry import load_generator, require_label
from tasks.tracking.versions import RegisteredModel

CONDITIONAL = RegisteredModel(7, "run", "abc", ("a", "b", "c"), "gan-generator")
UNCONDITIONAL = RegisteredModel(8, "run", "abc", (), "gan-generator")


@pytest.mark.parametrize("label", [-1, 0, 2])
def test_labels_that_are_there(label):
    require_label(CONDITIONAL, label)


def test_minus_one_suits_every_model():
    require_label(UNCONDITIONAL, -1)


@pytest.mark.parametrize(
    ("model", "label", "sentence"),
    [
        (CONDITIONAL, 3, "label 3 is outside the classes of gan-generator version 7: give 0 to 2, or -1"),
        (CONDITIONAL, -2, "label -2 is outside the classes of gan-generator version 7: give 0 to 2, or -1"),
        (UNCONDITIONAL, 0, "label 0 was asked for but gan-generator version 8 has no classes: leave --label away"),
    ],
)
def test_other_labels_are_refused(model, label, sentence):
    with pytest.raises(LabelError, match=sentence) as caught:
        require_label(model, label)
    assert caught.value.exit_status == 2


@pytest.fixture
def small(make_header):
    network = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
    config = Config(data=DataConfig(resolution=8), network=network)
    return network, make_header(config=config.model_dump(mode="json"), channels=3)


def test_the_program_of_a_checkpoint_is_its_average(tmp_path, small):
    network, header = small
    average, other = (build_generator(network, channels=3, num_classes=2) for _ in range(2))
    save_checkpoint(tmp_path, header, {"G": other.state_dict(), "G_ema": average.state_dict()})
    program = load_generator(tmp_path)
    for name, value in average.state_dict().items():
        assert torch.equal(program.G.state_dict()[name], value)
    assert program(torch.tensor([[0, -1], [1, 1]])).shape == (2, 8, 8, 3)
    (tmp_path / "tensors.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        load_generator(tmp_path)


def test_of_a_checkpoint_the_network_alone_must_be_known(tmp_path, small):
    network, header = small
    header.config["train"]["snapshot_kimg"] = 5.0
    save_checkpoint(tmp_path, header, {"G_ema": build_generator(network, channels=3, num_classes=2).state_dict()})
    assert load_generator(tmp_path)(torch.tensor([[0, -1]])).shape == (1, 8, 8, 3)
    header.config["network"]["depth"] = 5
    save_checkpoint(tmp_path, header, {})
    with pytest.raises(CheckpointError, match=r"made by another version of ganflow.*network\.depth"):
        load_generator(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"channels": 0},
        {"channels": -1},
        {"num_classes": -2},
        {"num_classes": 10**18},
        {"channels": 2},
        {"channels": 10**9},
    ],
)
def test_a_header_that_fits_no_tensors_is_refused_before_memory_is_asked_for(tmp_path, make_header, change):
    network = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=8, expansion=1)
    config = Config(data=DataConfig(resolution=8), network=network).model_dump(mode="json")
    header = make_header(**{"config": config, "channels": 1, "num_classes": 3} | change)
    G = build_generator(network, channels=1, num_classes=3)
    save_checkpoint(tmp_path, header, {"G_ema": G.state_dict()})
    with pytest.raises(CheckpointError, match="name another checkpoint"):
        load_generator(tmp_path)


def test_a_header_that_asks_for_a_million_layers_is_refused_before_they_are_made(tmp_path, make_header):
    small = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=8, expansion=1)
    for change in ({"blocks_per_stage": 10**6}, {"widths": [8] * 10**6}):
        network = small.model_dump(mode="json") | change
        header = make_header(config={"network": network}, num_classes=3)
        G = build_generator(small, channels=1, num_classes=3)
        save_checkpoint(tmp_path, header, {"G_ema": G.state_dict()})
        with pytest.raises(CheckpointError, match="do not fit its header"):
            load_generator(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_generator_whose_weights_are_no_numbers_is_refused(tmp_path, make_header, value):
    network = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=8, expansion=1)
    config = Config(data=DataConfig(resolution=8), network=network).model_dump(mode="json")
    header = make_header(config=config, channels=1, num_classes=3)
    G = build_generator(network, channels=1, num_classes=3)
    save_checkpoint(tmp_path, header, {"G_ema": G.state_dict()})
    assert load_generator(tmp_path)
    name, weight = list(G.named_parameters())[-1]
    weight.data.view(-1)[0] = value
    save_checkpoint(tmp_path, header, {"G_ema": G.state_dict()})
    with pytest.raises(CheckpointError, match=rf"no finite numbers \(in {name}\)"):
        load_generator(tmp_path)
