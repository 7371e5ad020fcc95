"""`ganflow compare` as it is typed, with the real network on real digits."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from gan.device.precision import native_bf16

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of 16 digits each, a zip of the first, and what is wrong in one way or another."""
    folder = tmp_path_factory.mktemp("compare")
    digits = load_digits()
    for name, start in (("a", 0), ("b", 200)):
        for index in range(start, start + 16):
            place = folder / name / str(digits.target[index])
            place.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray((digits.images[index] * 15.9).astype(np.uint8))
            image.resize((16, 16)).save(place / f"{index}.png")
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for path in sorted((folder / "a").rglob("*.png")):
            archive.write(path, path.relative_to(folder / "a"))
    (folder / "empty").mkdir()
    shutil.copytree(folder / "a", folder / "mixed")
    Image.new("L", (20, 16), 9).save(folder / "mixed" / "z.png")
    (folder / "one").mkdir()
    shutil.copy(next((folder / "a").rglob("*.png")), folder / "one" / "1.png")
    (folder / "weights.pt").write_bytes(b"not the weights")
    return folder


def test_a_folder_against_a_zip_of_it(home: Path) -> None:
    """Equal images are at no distance whatever holds them; the page is there; standard output is one JSON object."""
    command = [sys.executable, "-m", "flows.command.entry", "compare"]
    command += ["a", "a.zip", "--json", "--report", "same.html"]
    variables = os.environ | {"GANFLOW_HOME": str(home / "home")}
    same = subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, timeout=280)
    assert same.returncode == 0, same.stderr
    found = json.loads(same.stdout)
    metrics = found["evaluation"]["metrics"]
    assert metrics["fid16"]["value"] == pytest.approx(0.0, abs=1e-3)
    assert metrics["precision16"]["value"] == 1.0
    assert "the two sets hold the same images" in found["evaluation"]["warnings"]
    native = native_bf16(torch.device("cpu"))
    assert found["evaluation"]["protocol"]["precision"] == ("bf16" if native else "fp32"), "what auto became"
    assert Path(found["report"]).read_text().startswith("<!DOCTYPE html>")


def test_a_folder_against_another(
    home: Path, ganflow: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    status, out, err = ganflow("compare", "a", "b", "--precision", "fp32", "--n", "12", "--resize", "tf1")
    assert status == 0, err
    lines = out.splitlines()
    assert lines[0] == "compared  a with b"
    assert float(lines[1].split()[2]) > 1.0
    assert lines[-1] == f"report    {home / 'comparison.html'}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["empty", "b"], "no image"),
        (["mixed", "b"], "not of one size"),
        (["one", "b"], "scores need at least 4 images on each side, but there are 1 and 16"),
        (["a/0/0.png", "b"], "is one image"),
        (["a", "b", "--n", "50"], "a has 16 images but 50 were asked for: lower --n"),
        (["a", "nowhere"], "there is nothing at"),
        (["a", "b", "--split", "train"], "train"),
        (["a", "b", "--network", "weights.pt"], "is no TorchScript program"),
        (["a", "b", "--report", "nowhere/page.html"], "give --report another path"),
    ],
)
def test_wrong_input(
    home: Path,
    ganflow: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    """One sentence that names what is wrong, exit status 2, and nothing on standard output."""
    monkeypatch.chdir(home)
    status, out, err = ganflow("compare", *arguments)
    assert (status, out) == (2, ""), err
    last = err.strip().splitlines()[-1]
    assert last.startswith("ganflow: ")
    assert sentence in last


def test_wrong_weights(
    home: Path, ganflow: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with another sha256 is named with both, and never loaded."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("GANFLOW_INCEPTION_WEIGHTS", str(home / "weights.pt"))
    status, out, err = ganflow("compare", "a", "b")
    assert (status, out) == (2, "")
    assert "weights.pt is not the published 2015-12-05 Inception (sha256 " in err
