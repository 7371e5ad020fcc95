"""Shapes, names and the folding of BatchNorm; the published weights are the integration test's business."""

from pathlib import Path

import pytest
import torch
from torch import nn

from gan.errors import WeightsError
from gan.metrics.inception import INPUT_SIZE, Inception2015, _fold_batchnorm, load_inception


def test_wrong_hash_is_refused_before_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte of another file reaches torch."""
    path = tmp_path / "weights.pt"
    path.write_bytes(b"not the published file")
    monkeypatch.setattr(torch.jit, "load", lambda *_args, **_kwargs: pytest.fail("loaded"))
    with pytest.raises(WeightsError, match="is not the published 2015-12-05 Inception"):
        load_inception(path, dtype=torch.float32)


def test_folding_equals_convolution_and_batchnorm() -> None:
    """A convolution, then BatchNorm with beta, mean and var and no gamma, is one convolution with a bias."""
    torch.manual_seed(0)
    weight, beta, mean = torch.randn(4, 3, 3, 3), torch.randn(4), torch.randn(4)
    var = torch.rand(4) + 0.01
    name = "net.layers.conv"
    folded = _fold_batchnorm({f"{name}.weight": weight, f"{name}.beta": beta, f"{name}.mean": mean, f"{name}.var": var})
    x = torch.randn(2, 3, 8, 8)
    wanted = nn.functional.batch_norm(nn.functional.conv2d(x, weight), mean, var, None, beta, False, 0.1, 1e-3)
    found = nn.functional.conv2d(x, folded["layers.conv.weight"], folded["layers.conv.bias"])
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_names_and_sizes() -> None:
    """94 convolutions named as in the published file."""
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Inception2015().state_dict().items()}
    assert len(shapes) == 2 * 94
    assert shapes["layers.mixed_4.tower_1.conv_2.weight"] == (128, 128, 1, 7)
    assert shapes["layers.mixed_10.tower_2_conv.weight"] == (192, 2048, 1, 1)
    assert sum(torch.Size(shape).numel() for name, shape in shapes.items() if name.endswith("weight")) == 21_751_136


@torch.inference_mode()
def test_taps() -> None:
    """Each tap has its width, and layers behind the last tap are not computed."""
    torch.manual_seed(0)
    network = Inception2015().eval()
    x = torch.rand(1, 3, INPUT_SIZE, INPUT_SIZE)
    every = network(x, taps=(64, 192, 768, 2048))
    assert every.shape == (1, 64 + 192 + 768 + 2048)
    assert torch.equal(network(x), every[:, -2048:])
    network.layers.conv_3.register_forward_hook(lambda *_: pytest.fail("computed"))
    assert torch.equal(network(x, taps=(64,)), every[:, :64])
