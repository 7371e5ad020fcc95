"""The plain network with the published weights: equal to the published program, and to numbers others published."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from gan.device.precision import native_bf16
from gan.metrics.features import FeatureExtractor, require_precision
from gan.metrics.frechet import fid
from gan.metrics.inception import STEM, load_inception
from gan.metrics.kid import kid
from gan.metrics.network import DTYPES, inception
from gan.metrics.weights import find_inception_weights

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file, as every user finds it."""
    return find_inception_weights(None, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def published(weights: Path) -> Any:
    """The published program itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated", category=DeprecationWarning)
        return torch.jit.load(str(weights))


def scaled(images: Tensor) -> Tensor:
    """Return [N, 3, 299, 299] uint8 as the network wants it."""
    return ((images.float() - 128.0) / 128.0).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def test_equals_the_published_program(weights: Path, published: Any) -> None:
    """In fp32 the plain network gives the published program's features, on noise and on smooth images."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (2, 3, 299, 299), dtype=torch.uint8, generator=generator)
    ramps = torch.stack([torch.arange(299).expand(3, 299, 299) * k % 256 for k in (1, 5)]).to(torch.uint8)
    images = scaled(torch.cat([noise, ramps]))
    wanted = published(images.contiguous())
    found = load_inception(weights, dtype=torch.float32)(images)
    assert found.shape == (4, 2048)
    assert float((found - wanted).abs().max()) < 1e-4 * float(wanted.abs().max())


def test_the_stem_of_a_network_in_bf16_is_that_of_one_in_fp32(weights: Path) -> None:
    """Weight for weight, and nothing else of it is in fp32."""
    full, half = (dict(load_inception(weights, dtype=dtype).layers.named_parameters()) for dtype in DTYPES.values())
    for name, value in half.items():
        if name.rpartition(".")[0] in STEM:
            assert torch.equal(value, full[name]), name
        else:
            assert value.dtype == torch.bfloat16


@pytest.mark.skipif(not native_bf16(torch.device("cpu")), reason="this processor emulates bf16: a minute an image")
def test_bf16_is_close(weights: Path) -> None:
    """Weights and activations in bf16 move features by a few percent of their size, which the start-up check allows."""
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    full, half = (
        FeatureExtractor(inception(weights, precision=precision), resize="tf1") for precision in ("fp32", "bf16")
    )
    assert 0.0 < require_precision(half, full, images) < 0.05


@pytest.mark.skipif(not native_bf16(torch.device("cpu")), reason="this processor emulates bf16: a minute an image")
def test_bf16_is_as_close_where_images_are_flat(weights: Path) -> None:
    """Digits are mostly background, where rounding pixels or the stem's outputs moves features by 6 %."""
    images = (load_digits().images[:4] * 255 / 16).astype(np.uint8)[..., None]
    full, half = (
        FeatureExtractor(inception(weights, precision=precision), resize="tf1") for precision in ("fp32", "bf16")
    )
    assert 0.0 < require_precision(half, full, images) < 0.03


@pytest.mark.slow
@torch.inference_mode()
def test_documented_scores(weights: Path) -> None:
    """Torchmetrics documents 12.7202 for FID at 64 features and 0.0337 (0.0023) for KID at 2,048, on these images."""
    torch.manual_seed(123)
    # their example seeds first and then builds the network, whose 94 convolutions and classifier draw this many weights
    torch.empty(21_751_136 + (2048 + 1) * 1008).uniform_()
    first = torch.randint(0, 200, (100, 3, 299, 299), dtype=torch.uint8)
    second = torch.randint(100, 255, (100, 3, 299, 299), dtype=torch.uint8)
    network = load_inception(weights, dtype=torch.float32)
    a, b = (
        torch.cat([network(scaled(batch), taps=(64, 2048)) for batch in images.split(4)]).numpy()
        for images in (first, second)
    )
    assert fid(a[:, :64], b[:, :64]) == pytest.approx(12.7202, abs=1e-4)
    # their 100 subsets are other random ones: the mean may move by a few of its errors, 0.0023 / sqrt(100)
    score = kid(a[:, 64:], b[:, 64:], subset_size=50)
    assert score.mean == pytest.approx(0.0337, abs=0.001)
    assert score.std == pytest.approx(0.0023, abs=0.0007)
