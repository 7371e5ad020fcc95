"""Networks from files: what they are called, what they take, and what is said of one that cannot be used."""

import hashlib
import os
import pickle
import runpy
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan.errors import WeightsError
from gan.metrics.features import FeatureExtractor
from gan.metrics.network import inception, other_network

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class Means(nn.Module):
    """Mean of each channel, of images of 16 pixels."""

    input_size: int

    def __init__(self) -> None:
        super().__init__()
        self.input_size = 16
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=[2, 3]) * self.scale


class Flat(nn.Module):
    """Returns images instead of features."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Narrow(nn.Module):
    """Takes nothing but 8 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], 3 * 8 * 8)


def saved(module: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), str(path))
    return path


def test_another_network(tmp_path: Path) -> None:
    """It is named after its file, takes images in [0, 1] of the size that it asks for, and is no Inception."""
    path = saved(Means(), tmp_path / "Dino V2-small.pt")
    found = other_network(path, precision="fp32")
    assert (found.name, found.input_size, found.is_inception) == ("dinov2small", 16, False)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    image = np.full((2, 4, 4, 3), 51, dtype=np.uint8)
    features = FeatureExtractor(found, resize="torch").extract([image])
    np.testing.assert_allclose(features, np.full((2, 3), 0.2), rtol=1e-6)
    half = FeatureExtractor(other_network(path, precision="bf16"), resize="torch").extract([image])
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, features, rtol=0.01)


def test_one_that_returns_no_features(tmp_path: Path) -> None:
    network = other_network(saved(Flat(), tmp_path / "flat.pt"), precision="fp32")
    assert network.input_size == 224
    with pytest.raises(WeightsError, match=r"flat.pt returns \(2, 3, 224, 224\) for 2 images, expected \[2, D\]$"):
        network.run(torch.zeros(2, 3, 224, 224))


def test_one_that_cannot_take_the_images(tmp_path: Path) -> None:
    network = other_network(saved(Narrow(), tmp_path / "narrow.pt"), precision="fp32")
    with pytest.raises(WeightsError, match=r"narrow.pt cannot take \[N, 3, 224, 224\] images in fp32 \(.*input_size"):
        network.run(torch.zeros(2, 3, 224, 224))


@pytest.mark.parametrize("content", [b"", b"not a program", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_program(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"broken.pt is no TorchScript program \(.*\): save one with torch.jit.save"):
        other_network(path, precision="fp32")


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    """What torch.save writes is no program, and nothing in it is called; nor in a program whose data are a pickle."""

    class Touch:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    path, program = tmp_path / "pickle.pt", tmp_path / "program.pt"
    torch.save(Touch(), path)
    torch.jit.save(torch.jit.script(torch.nn.Flatten()), program)  # type: ignore[no-untyped-call]
    with zipfile.ZipFile(program) as archive:
        members = {each.filename: archive.read(each) for each in archive.infolist()}
    with zipfile.ZipFile(program, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, pickle.dumps(Touch()) if name.endswith("data.pkl") else content)
    for file in (path, program):
        with pytest.raises(WeightsError, match="is no TorchScript program"):
            other_network(file, precision="fp32")
    assert not (tmp_path / "ran").exists()


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"the feature network .*none.pt cannot be read \(No such file"):
        other_network(tmp_path / "none.pt", precision="fp32")
    with pytest.raises(WeightsError, match=r"the Inception weights .*none.pt cannot be read"):
        inception(tmp_path / "none.pt", precision="fp32")


@pytest.mark.parametrize("error", [IndexError, KeyError, UnicodeDecodeError, MemoryError, OverflowError])
def test_whatever_pytorch_raises_at_damage_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """A flipped byte makes it an IndexError of C++: «Argument passed to at() was not in the map»."""

    def damaged(*_: Any, **__: Any) -> None:
        raise error(*(("utf-8", b"", 0, 1, "no text") if error is UnicodeDecodeError else ()))

    (tmp_path / "other.pt").write_bytes(b"PK")
    monkeypatch.setattr(torch.jit, "load", damaged)
    with pytest.raises(WeightsError, match=r"other\.pt is no TorchScript program"):
        other_network(tmp_path / "other.pt", precision="fp32")


class Patches(nn.Module):
    """A vision transformer with DINOv2's interface: patches of 14, positions stretched to the image, a class token."""

    def __init__(self, width: int = 24, heads: int = 3) -> None:
        super().__init__()
        self.heads = heads
        self.patches = nn.Conv2d(3, width, 14, 14)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, width, 37, 37))
        self.qkv, self.out, self.norm = nn.Linear(width, 3 * width), nn.Linear(width, width), nn.LayerNorm(width)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images)
        x = x + nn.functional.interpolate(self.positions, size=x.shape[-2:], mode="bicubic")
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
        count, length, width = x.shape
        q, k, v = self.qkv(x).reshape(count, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(count, length, width)
        features: Tensor = self.norm(x + self.out(seen))[:, 0]
        return features


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_the_recipe_for_dinov2_makes_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The very lines of docs/evaluating.md, with a small network in the place of the one that they fetch."""
    page = (Path(__file__).parents[4] / "docs" / "evaluating.md").read_text("utf-8")
    recipe = tmp_path / "recipe.py"
    recipe.write_text(page.partition("```python\n")[2].partition("```")[0], "utf-8")
    torch.manual_seed(0)
    asked, vit = [], Patches()
    monkeypatch.setattr(torch.hub, "load", lambda *names: asked.append(names) or vit)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(recipe), run_name="__main__")
    assert asked == [("facebookresearch/dinov2", "dinov2_vits14")]
    found = other_network(tmp_path / "dinov2.pt", precision="fp32")
    assert (found.name, found.input_size) == ("dinov2", 224)
    images = torch.rand(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    with torch.no_grad():
        torch.testing.assert_close(found.run(images * 255), vit((images - mean) / std), rtol=1e-4, atol=1e-4)
    gray = np.zeros((5, 8, 8, 1), np.uint8)
    assert FeatureExtractor(found, resize="clean").extract([gray]).shape == (5, 24)
