"""From network output to pixels and from label -1 to a class."""

import numpy as np
import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.generation.sampling import draw, on_device, resolve_labels, sample_uint8, to_uint8
from gan.keyed_random import Purpose, normal
from gan.networks.build import build_generator

NETWORK = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)


def test_to_uint8_rounds_and_clamps():
    values = [-9.0, -1.0, -1 + 0.9 / 255, -1 + 1.1 / 255, 0.001, 1 - 1.1 / 255, 1 - 0.9 / 255, 1.0, 1.01, 9.0]
    found = to_uint8(torch.tensor(values).view(1, 1, 1, 10))
    assert found.dtype == torch.uint8
    assert found.flatten().tolist() == [0, 0, 0, 1, 128, 254, 255, 255, 255, 255]


def test_to_uint8_undoes_normalising_exactly():
    levels = torch.arange(256).view(1, 1, 16, 16)
    assert torch.equal(to_uint8(levels.float().div(127.5).sub(1)).view(16, 16), levels[0, 0].to(torch.uint8))


def test_to_uint8_puts_channels_last():
    images = torch.rand(2, 3, 4, 5)
    found = to_uint8(images)
    assert found.shape == (2, 4, 5, 3)
    assert found.is_contiguous()
    assert torch.equal(found[1, 2, 3], (images[1, :, 2, 3] * 127.5 + 127.5).round().to(torch.uint8))


def test_label_minus_one_is_drawn_from_the_seed_and_others_stay():
    seeds = torch.tensor([5, 6, 7, 5, 2**40, -3])
    drawn = resolve_labels(seeds, torch.full((6,), -1), 10)
    assert drawn.min() >= 0
    assert drawn.max() < 10
    assert drawn[0] == drawn[3]
    mixed = resolve_labels(seeds, torch.tensor([-1, 9, 0, -1, 3, -1]), 10)
    assert mixed.tolist() == [drawn[0], 9, 0, drawn[3], 3, drawn[5]]


def test_drawn_classes_are_uniform():
    drawn = resolve_labels(torch.arange(10_000), torch.full((10_000,), -1), 7)
    counts = torch.bincount(drawn, minlength=7)
    assert len(counts) == 7
    assert ((counts - 10_000 / 7).square() / (10_000 / 7)).sum() < 22.5  # chi squared, 6 degrees, p = 0.001


def test_without_classes_every_label_is_zero():
    assert resolve_labels(torch.arange(3), torch.tensor([-1, 0, 99]), 0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("num_classes", [0, 3])
def test_sample_uint8(num_classes):
    torch.manual_seed(0)
    G = build_generator(NETWORK, channels=3, num_classes=num_classes)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    seeds, labels = torch.tensor([3, 2**33, -1]), torch.tensor([2, 0, -1])
    found = sample_uint8(G, seeds, labels, torch.device("cpu"))
    assert isinstance(found, np.ndarray)
    assert found.shape == (3, 8, 8, 3)
    assert found.dtype == np.uint8
    with torch.no_grad():
        wanted = to_uint8(G(normal(seeds, Purpose.LATENT, 4), resolve_labels(seeds, labels, num_classes)))
    np.testing.assert_array_equal(found, wanted.numpy())
    assert len({image.tobytes() for image in found}) == 3


def test_sample_uint8_in_batches():
    torch.manual_seed(0)
    G, sizes = build_generator(NETWORK, channels=1, num_classes=3).eval(), []
    G.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    seeds, labels = torch.arange(5), torch.tensor([2, 0, 1, -1, -1])
    found = sample_uint8(G, seeds, labels, torch.device("cpu"), 2)
    whole = sample_uint8(G, seeds, labels, torch.device("cpu"))
    assert sizes == [2, 2, 1, 5]
    assert (np.abs(found.astype(int) - whole) <= 1).all()


def test_a_program_gets_its_rows_where_it_is():
    seen = []

    def program(rows):
        seen.append(rows.device.type)
        return torch.zeros(len(rows), 1, 1, 1, dtype=torch.uint8, device=rows.device)

    on_device(program, torch.device("meta"))(torch.zeros(2, 2, dtype=torch.int64))
    list(draw(on_device(program, torch.device("cpu")), np.arange(2), np.zeros(2, np.int64)))
    assert set(seen[1:]) == {"cpu"}
    assert seen[0] == "meta"


@pytest.mark.parametrize(
    ("side", "sizes"), [(1, [256, 44]), (64, [256, 44]), (128, [128, 128, 44]), (256, [32] * 9 + [12])]
)
def test_draw_keeps_the_order_and_passes_fewer_of_large_images(side, sizes):
    seen = []

    def program(rows):
        seen.append(len(rows))
        assert rows.dtype == torch.int64
        assert not torch.is_grad_enabled()
        return (rows[:, 0] % 100 + rows[:, 1] * 100).to(torch.uint8)[:, None, None, None].expand(-1, side, side, 1)

    seeds, labels = np.arange(300), np.arange(300) // 100 % 2
    found = list(draw(program, seeds, labels))
    assert seen == [1, *sizes]  # the first shows how large they are
    assert all(isinstance(batch, np.ndarray) and batch.dtype == np.uint8 for batch in found)
    assert np.array_equal(np.concatenate(found)[:, 0, 0, 0], seeds % 100 + labels * 100)


def test_an_image_larger_than_a_pass_is_passed_alone():
    images = list(draw(lambda rows: torch.zeros(len(rows), 2**11, 2**11, 1, dtype=torch.uint8), *np.zeros((2, 3), int)))
    assert [len(batch) for batch in images] == [1, 1, 1]


def test_draw_is_lazy_and_keeps_large_seeds():
    seeds = []

    def program(rows):
        seeds.append(rows[:, 0].tolist())
        return torch.zeros(len(rows), 1024, 1024, 1, dtype=torch.uint8)

    wanted = [2**62 + 1, -(2**63), 0, 1, 2]
    batches = draw(program, np.array(wanted), np.full(5, -1))
    next(batches)
    assert seeds == [wanted[:1], wanted[:2]]
    list(batches)
    assert seeds[1:] == [wanted[:2], wanted[2:4], wanted[4:]]
