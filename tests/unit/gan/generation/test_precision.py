"""Programs in bfloat16: near the images of float32, with the same noise; and when two images are one."""

import io

import numpy as np
import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator, export_program
from gan.generation.precision import MOST_LEVELS, same_image, share_alike
from gan.generation.program_file import load_program_bytes
from gan.networks.build import build_generator

CPU = torch.device("cpu")
NETWORKS = {
    "dcgan": NetworkConfig(architecture="dcgan", widths=(16, 8), latent_dim=4, embedding_dim=4),
    "r3gan": NetworkConfig(widths=(16, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1),
}


@pytest.fixture(scope="module", params=NETWORKS.values(), ids=NETWORKS)
def content(request):
    """The file of a program whose images have all shades."""
    torch.manual_seed(0)
    G = build_generator(request.param, channels=3, num_classes=3)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    G(torch.randn(50, 4), torch.arange(50) % 3)
    file = io.BytesIO()
    torch.export.save(export_program(SeededGenerator(G)), file)
    return file.getvalue()


@pytest.mark.parametrize("device", [None, CPU])
def test_it_draws_nearly_the_images_of_float32(content, device):
    rows = torch.tensor([[seed, seed % 4 - 1] for seed in range(-20, 20)])
    wanted = load_program_bytes(content, "m", device)(rows).numpy()
    program = load_program_bytes(content, "m", device, "bf16")
    with torch.no_grad():
        found = program(rows).numpy()
    assert wanted.std() > 10
    assert not np.array_equal(found, wanted)  # it was bfloat16
    assert np.abs(found.astype(int) - wanted).mean() < 2
    assert not torch.is_autocast_enabled("cpu")


def test_shares_are_of_values_within_one_level():
    a = np.full((1, 2, 2, 1), 255, np.uint8)
    b = a - np.array([0, 1, 2, 255], np.uint8).reshape(a.shape)
    assert share_alike(a, b) == share_alike(b, a) == 0.5


@pytest.mark.parametrize(
    ("levels", "values", "alike_in"),
    [
        (0, 0, {"fp32", "bf16"}),
        (1, 200, {"fp32", "bf16"}),
        (2, 2, {"bf16"}),
        (MOST_LEVELS, 1, {"bf16"}),
        (MOST_LEVELS + 1, 1, set()),
        (2, 3, set()),
    ],
)
def test_images_are_one_up_to_what_the_precision_leaves_open(levels, values, alike_in):
    image = np.full((200, 1, 1), 100, np.uint8)
    other = image.copy()
    other[:values] += np.uint8(levels)
    found = {name for name in ("fp32", "bf16") if same_image(other, image, bf16=name == "bf16")}
    assert found == alike_in
