"""The exported program as ONNX: the same images in ONNX Runtime, nothing of this machine in the file."""

import socket
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import gan
from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator, export_program
from gan.generation.onnx_file import check_rows, onnx_difference, write_onnx
from gan.keyed_random import Purpose, integers, normal
from gan.networks.build import build_generator

DCGAN = {"architecture": "dcgan", "widths": (16, 8), "latent_dim": 8, "embedding_dim": 4}
R3GAN = {"widths": (8, 8), "latent_dim": 8, "embedding_dim": 4, "group_width": 4, "expansion": 1}


def program_of(network, channels, num_classes):
    torch.manual_seed(0)
    G = build_generator(NetworkConfig(**network), channels=channels, num_classes=num_classes)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    G(torch.randn(50, 8), torch.arange(50) % max(num_classes, 1))  # the running statistics of batch normalisation
    return export_program(SeededGenerator(G))


def images(path, rows):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"seed_label": rows.numpy()})[0]


def rows(count, num_classes):
    seeds = np.random.default_rng(count).integers(-(2**63), 2**63 - 1, count)
    return torch.from_numpy(np.stack([seeds, np.arange(count) % (num_classes + 1) - 1], axis=1))


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """Export a network, once however often it is asked for; returns the file and its program."""

    @cache
    def write(network, channels, num_classes):
        path, program = tmp_path_factory.mktemp("onnx") / "model.onnx", program_of(dict(network), channels, num_classes)
        write_onnx(program, path)
        return path, program

    return lambda network, *sizes: write(tuple(network.items()), *sizes)


@pytest.fixture
def written(write):
    return write(DCGAN, 1, 3)


@pytest.mark.parametrize(
    ("network", "channels", "num_classes"),
    [
        (DCGAN, 1, 3),
        (R3GAN, 3, 5),
        pytest.param(DCGAN, 3, 0, marks=pytest.mark.slow),
        pytest.param(R3GAN | {"patch": 2}, 1, 0, marks=pytest.mark.slow),
    ],
)
def test_the_file_draws_the_images_of_its_program(write, network, channels, num_classes):
    path, program = write(network, channels, num_classes)
    module = program.module()
    for count in (1, 2, 17, 64):
        asked = rows(count, num_classes)
        wanted, found = module(asked).numpy(), images(path, asked)
        assert (found.dtype, found.shape) == (np.uint8, wanted.shape)
        assert np.abs(found.astype(int) - wanted).max() <= 1
    assert wanted.std() > 10
    assert onnx_difference(path, program, check_rows(num_classes)) <= 1


def test_the_noise_is_the_same_bits(tmp_path):
    """The exporter's own constants are rounded to float32: two of three values of z then differ."""

    class Noise(torch.nn.Module):
        def forward(self, asked):
            return normal(asked[:, 0], Purpose.LATENT, 16)

    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(Noise(), (torch.zeros(2, 2, dtype=torch.int64),), dynamic_shapes=({0: batch},))
    write_onnx(program, tmp_path / "noise.onnx")
    asked = torch.cat([check_rows(0), rows(5000, 0)])
    found, wanted = images(tmp_path / "noise.onnx", asked), Noise()(asked).numpy()
    np.testing.assert_array_equal(found.view(np.int32), wanted.view(np.int32))


def test_the_whole_seed_counts_and_label_minus_one_is_the_class_that_follows_from_it(written):
    path, _ = written
    seeds = [5, 5 + 2**32, 5 - 2**63, -5, 5 + 2**62]
    drawn = images(path, torch.tensor([[seed, 1] for seed in seeds]))
    assert len({image.tobytes() for image in drawn}) == len(seeds)
    label = int(integers(torch.tensor([-5]), Purpose.LABEL, 3))
    drawn = images(path, torch.tensor([[-5, -1], [-5, 0], [-5, 1], [-5, 2]]))
    assert [np.array_equal(drawn[0], each) for each in drawn[1:]] == [index == label for index in range(3)]


def test_labels_that_are_none_as_docs_serving_says(written):
    path, program = written
    for label in (3, -2):
        with pytest.raises(IndexError):
            program.module()(torch.tensor([[5, label]]))
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match="out of"):
        images(path, torch.tensor([[5, 3]]))
    last, first = images(path, torch.tensor([[5, -2]])), images(path, torch.tensor([[5, 1]]))
    np.testing.assert_array_equal(last, first)


def test_the_file_is_of_one_form_and_tells_nothing_of_where_it_was_made(written, tmp_path):
    path, program = written
    write_onnx(program, tmp_path / "again.onnx")
    content = path.read_bytes()
    assert content == (tmp_path / "again.onnx").read_bytes()
    assert [each.name for each in path.parent.iterdir()] == ["model.onnx"], "no weights beside it"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, [(each.domain, each.version) for each in model.opset_import]) == (10, [("", 18)])
    (given,), (made,) = model.graph.input, model.graph.output
    sizes = [[each.dim_param or each.dim_value for each in side.type.tensor_type.shape.dim] for side in (given, made)]
    assert (given.name, made.name, sizes) == ("seed_label", "images", [["batch", 2], ["batch", 16, 16, 1]])
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    for told in (Path(gan.__file__).parents[1], torch.__path__[0], ".py", "gan.networks", socket.gethostname()):
        assert str(told).encode() not in content


def test_what_a_file_is_compared_on():
    for num_classes, labels in ((0, {-1}), (1, {-1, 0}), (3, {-1, 0, 1, 2}), (1000, {-1, 0, 1, 999})):
        rows = check_rows(num_classes)
        assert set(rows[:, 1].tolist()) == labels
        assert rows[:, 0].min() == -(2**63)
        assert rows[:, 0].max() > 2**62


def test_a_difference_is_found_in_any_one_image(written, tmp_path):
    path, program = written
    model = onnx.load(path)
    (table,) = [each for each in model.graph.initializer if each.name.endswith("embedding.weight")]
    weights = onnx.numpy_helper.to_array(table).copy()
    weights[2] += 3.0  # of the last class alone
    table.CopyFrom(onnx.numpy_helper.from_array(weights, table.name))
    onnx.save(model, tmp_path / "other.onnx")
    assert onnx_difference(path, program, check_rows(3)) <= 1
    assert onnx_difference(tmp_path / "other.onnx", program, check_rows(3)) > 1
