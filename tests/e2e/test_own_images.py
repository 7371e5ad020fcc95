"""A user's folder of images, of mixed sizes and in colour, through the whole pipeline."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

pytestmark = pytest.mark.e2e
BRIEF = ("--preset", "debug", "--set", "train.total_kimg=0.1")


def photos(folder, per_class):
    """200 real pictures: pieces of scikit-learn's two photographs, and its digits enlarged."""
    random = np.random.default_rng(0)
    for name, photo in zip(("temple", "flower"), load_sample_images().images, strict=True):
        (folder / name).mkdir(parents=True)
        for index in range(per_class[name]):
            height, width = random.integers(24, 200, size=2)
            top, left = random.integers(0, photo.shape[0] - height), random.integers(0, photo.shape[1] - width)
            piece = photo[top : top + height, left : left + width]
            Image.fromarray(piece).save(folder / name / f"{index:03d}.png")
    (folder / "digit").mkdir()
    for index, digit in enumerate(load_digits().images[: per_class["digit"]]):
        side = int(random.integers(16, 64))
        Image.fromarray((digit * 15).astype(np.uint8)).resize((side, side)).save(folder / "digit" / f"{index}.png")


def run_on_photos(folder, ganflow_in):
    """The whole pipeline on `folder / "photos"`; returns the home, and what the command answered."""
    photos(folder / "photos", {"temple": 70, "flower": 70, "digit": 60})
    home = folder / "home"
    home.mkdir()
    said = ("--exclude", "*.bak", "--license", "cc-by-4.0", "--credit", "A. Person")
    done = ganflow_in(home)("run", "--source", str(folder / "photos"), *said, *BRIEF, "--json")
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout)


@pytest.mark.slow
def test_a_folder_of_200_files_goes_through_the_whole_pipeline(tmp_path, ganflow_in):
    home, result = run_on_photos(tmp_path, ganflow_in)
    assert result["dataset"]["num_train"] + result["dataset"]["num_test"] + result["dataset"]["rejects"] == 200
    info = json.loads((home / "data" / "dataset.json").read_text())
    assert info["class_names"] == ["digit", "flower", "temple"]
    assert info["channels"] == 3
    assert info["asked"] == {"exclude": ["*.bak"]}
    assert (info["licence"], info["credit"]) == ("CC-BY-4.0", "A. Person")
    manifest = json.loads((home / "synthetic" / "v1-001" / "manifest.json").read_text())
    assert set(manifest["counts"]) == {"digit", "flower", "temple"}
    assert manifest["image"] == {"height": 16, "width": 16, "channels": 3}


@pytest.mark.slow
def test_where_a_class_is_new_a_rehearsal_takes_no_place_of_a_champion_that_cannot_draw_it(tmp_path, ganflow_in):
    home, _ = run_on_photos(tmp_path, ganflow_in)
    shutil.copytree(tmp_path / "photos" / "flower", tmp_path / "photos" / "bird")
    for path in (tmp_path / "photos" / "bird").iterdir():
        Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path)
    assert ganflow_in(home)("ingest", str(tmp_path / "photos"), "--preset", "debug").returncode == 0
    refused = ganflow_in(home)("evaluate", "--preset", "debug")
    assert refused.returncode == 2
    assert "the dataset has bird, digit, flower, temple" in refused.stderr
    done = ganflow_in(home)("retrain", *BRIEF, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["version"], result["alias"]) == (2, "challenger")
    assert "version 1, draws other classes" in result["verdict"]["reason"]
    assert "ganflow promote VERSION --force --reason" in result["verdict"]["reason"]


@pytest.mark.slow
def test_a_first_candidate_that_is_of_no_use_waits_for_a_person_and_nothing_is_released(tmp_path, ganflow_in):
    done = ganflow_in(tmp_path)("run", *BRIEF, "--set", "gate.floor=0.1", "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    result = json.loads(done.stdout)
    assert result["release"] is None
    assert (result["model"]["version"], result["model"]["alias"]) == (1, "challenger")
    assert "is not clearly above gate.floor 0.1" in result["model"]["verdict"]["reason"]
    assert ganflow_in(tmp_path)("generate").returncode == 2
