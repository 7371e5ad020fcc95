"""Releases of every format, drawn and marked as they are, and verified."""

import json

import mlcroissant as mlc
import numpy as np
import pytest
from fuzzing.releases import KEY, MARK, NAMES, RUN, program

from gan.configuration.config import ReleaseConfig
from gan.data.pixels.png import encode_pngs
from gan.release.formats.table import format_named
from gan.release.marks import png_chunks
from gan.release.shard import Marks
from tasks.generate.marking import Proof, release_marks
from tasks.generate.release import build_release
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel
from tasks.verify import verify as verifying

FORMATS = ("parquet", "webdataset", "imagefolder", "npz")
MODEL = RegisteredModel(MARK.version, RUN, MARK.dataset_md5, NAMES, MARK.model)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(verifying, "registered_program", lambda settings, stated: (MODEL, program()))
    return Settings(ganflow_home=tmp_path / "home")


def build(home, evaluation, form, marks=None):
    home.state_dir.mkdir(parents=True, exist_ok=True)
    config = ReleaseConfig(num_images=25, batch_size=8, shard_images=10, format=form)
    others = {"evaluation": evaluation, "training_digests": (), "configuration": "x"}
    others["proof"] = Proof(marks or release_marks(MODEL, "r"), None, KEY)
    return build_release(home, MODEL, program(), config, name="r", **others).folder


@pytest.mark.parametrize("form", FORMATS)
def test_a_release_of_any_format_is_as_it_was_made(home, evaluation, form):
    found = verifying.verify(home, build(home, evaluation, form), trusted=KEY.fingerprint)
    assert found.problems == ()
    assert (found.images, found.marked, found.regenerated, found.equal) == (25, 25, 25, 25)


@pytest.mark.parametrize("form", FORMATS)
def test_stripped_marks_are_told(home, evaluation, form):
    folder = build(home, evaluation, form)
    without = build(Settings(ganflow_home=home.home / "other"), evaluation, form, Marks())
    for path in [each for each in without.rglob("*") if each.is_file() and each.suffix not in {".json", ".sig"}]:
        (folder / path.relative_to(without)).write_bytes(path.read_bytes())
    found = verifying.verify(home, folder)
    assert {problem.kind for problem in found.problems} == {"file", "mark"}
    assert found.problems[-1].sentence.startswith("25 images (row 0, 1, 2 and 22 more) are without the mark")


@pytest.mark.parametrize("form", FORMATS)
def test_a_changed_byte_of_any_data_file_is_told(home, evaluation, form):
    folder = build(home, evaluation, form)
    rng = np.random.default_rng(0)
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        place = int(rng.integers(len(content) // 2, max(len(content) // 2 + 1, len(content) - 3000)))
        (folder / name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        found = verifying.verify(home, folder)
        assert "file" in {problem.kind for problem in found.problems}, name
        (folder / name).write_bytes(content)


def test_a_changed_picture_of_a_folder_is_drawn_again_first(home, evaluation):
    folder = build(home, evaluation, "imagefolder")
    path = sorted((folder / "train").rglob("*.png"))[4]
    form = format_named("imagefolder")
    pixels = form.pixels(path.read_bytes(), (8, 8, 1)).copy()
    pixels[0, 0, 0] ^= 128
    path.write_bytes(encode_pngs(pixels[None], png_chunks(MARK))[0])
    found = verifying.verify(home, folder, sample=1)
    assert {problem.kind for problem in found.problems} == {"file", "generator"}


@pytest.mark.parametrize("form", FORMATS)
def test_croissant_json_stands_beside_the_card(home, evaluation, form):
    folder = build(home, evaluation, form)
    dataset = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    assert dataset.metadata.ctx.issues.errors == set()
    assert bool(dataset.metadata.record_sets) == (form != "npz")
    assert "croissant.json" in json.loads((folder / "manifest.json").read_text())["files"]
