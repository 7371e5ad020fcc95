"""A release verified against the registry that drew it, by DVC's own md5, and by those who load it."""

import io
import json
import os
import re
import shutil
import subprocess
import sys

import datasets
import numpy as np
import pytest
from fuzzing.releases import MARK, NAMES, RUN, drawn, program, release, seal, shard
from PIL import Image

from gan.data.pixels.png import decode_png
from gan.release.marks import read_mark
from tasks.dataset.repository import track_release
from tasks.releases.states import State, recall
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, TRAINING, run
from tasks.tracking.registry import register_version
from tasks.verify.verify import find_release, verify

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def settings(tmp_path_factory, without_onnx):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield Settings(ganflow_home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def version(settings):
    tags = {"dataset_md5": MARK.dataset_md5, "class_names": json.dumps(NAMES)}
    with run(settings, TRAINING, "small", tags) as log:
        return register_version(settings, log, program(), checkpoint="c", config={}, tags=tags, card="# card")


@pytest.fixture
def folder(settings, version, request):
    made = release(settings.synthetic_dir / re.sub(r"\W", "-", request.node.name))
    return seal(made, name=made.name, model={"name": version.name, "version": 1, "run_id": version.run_id})


def kinds(found):
    return {problem.kind for problem in found.problems}


def test_images_are_drawn_again_from_the_registry(settings, folder):
    found = verify(settings, folder)
    assert found.problems == ()
    assert (found.images, found.marked, found.regenerated) == (25, 25, 25)
    assert found.equal + found.near == 25
    assert found.equal >= 20
    assert verify(settings, folder, sample=3).regenerated == 3


def test_a_pixel_that_was_changed_with_all_digests_is_not_what_the_generator_makes(settings, folder, version):
    images, labels, seeds = drawn()
    images[7, 3, 4, 0] ^= 128
    shard(images[:12], labels[:12], seeds[:12], folder, index=0, count=2)
    seal(folder, name=folder.name, model={"name": version.name, "version": 1, "run_id": version.run_id}, key=None)
    found = verify(settings, folder)
    assert kinds(found) == {"generator"}
    assert "1 of 25 images that were drawn again are not what gan-generator version 1 makes" in (
        found.problems[0].sentence
    )


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ({"version": 2}, "has no gan-generator «2»"),
        ({"name": "pets"}, "has no pets «1»"),
        ({"run_id": RUN}, "is of another training run than the one that drew the release"),
    ],
)
def test_a_version_that_is_not_there_is_said(settings, folder, version, model, why):
    stated = {"name": version.name, "version": 1, "run_id": version.run_id} | model
    found = verify(settings, seal(folder, model=stated, key=None, marks=None))
    assert found.problems == ()
    assert any(why in note for note in found.notes), found.notes
    assert kinds(verify(settings, folder, sample=5)) == {"not checked"}


def test_a_tracked_release_is_held_against_what_dvc_wrote(settings, folder):
    track_release(settings, folder)
    found = verify(settings, folder)
    assert found.problems == ()
    for path in folder.iterdir():
        path.chmod(0o644)
    manifest = folder / "manifest.json"
    manifest.unlink()
    (folder / "manifest.json.sig").unlink()
    seal(folder, key=None, name="other")
    assert kinds(verify(settings, folder, sample=0)) == {"manifest"}


def recorded(settings, folder, version, md5=None, **tags):
    facts = {"release": folder.name, "model": version.name, "model_version": "1", "training_run": version.run_id}
    with run(settings, RELEASES, folder.name, facts | ({"release_md5": md5} if md5 else {}) | tags):
        pass


def test_a_recalled_release_is_told_wherever_its_bytes_lie(settings, folder, version, tmp_path):
    assert verify(settings, folder, sample=0).state is None
    md5, _ = track_release(settings, folder)
    recorded(settings, folder, version, md5)
    found = verify(settings, folder, sample=0)
    assert (found.state, found.reason, found.sound) == (State.PUBLISHED, None, True)
    recall(settings, folder.name, "stripes")
    copy = shutil.copytree(folder, tmp_path / "theirs")
    for place in (folder, copy):
        found = verify(settings, place, sample=0)
        assert (found.state, found.reason) == (State.RECALLED, "stripes")
        assert (found.as_made, found.sound) == (True, False)


def test_of_two_releases_of_a_name_each_has_its_own_state(settings, folder, version):
    md5, _ = track_release(settings, folder)
    recorded(settings, folder, version, md5)
    recorded(settings, folder, version, "0" * 32, state="recalled", recalled_because="other bytes")
    assert verify(settings, folder, sample=0).state is State.PUBLISHED
    # Changed bytes are nobody's: what was said last of the name holds.
    (folder / "README.md").chmod(0o644)
    (folder / "README.md").write_text("changed")
    found = verify(settings, folder, sample=0)
    assert (found.state, found.as_made) == (State.RECALLED, False)
    seal(folder, key=None, name=folder.name, model={"name": version.name, "version": 1, "run_id": RUN})
    assert verify(settings, folder, sample=0).state is None  # a registry may have other versions of these numbers


def test_a_release_in_quarantine_is_found_by_its_name_and_said_to_be_there(settings, folder, version):
    place = settings.quarantine_dir / folder.name
    place.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(place)
    recorded(settings, folder, version, state="quarantined", quarantined_because="copies")
    found = verify(settings, find_release(settings, folder.name), sample=0)
    assert (found.state, found.reason, found.sound) == (State.QUARANTINED, "copies", False)


@pytest.mark.slow
def test_the_verb_draws_again_and_says_so(settings, folder):
    environment = {**os.environ, "GANFLOW_HOME": str(settings.home)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-m", "flows.command.entry", "verify", folder.name, "--regenerate", "5", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["regenerated"] == 5
    assert told["equal"] + told["near"] == 5


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_hands_on_pixels_and_marks(folder, tmp_path, streaming):
    options = {"split": "train", "streaming": streaming, "cache_dir": str(tmp_path / "cache")}
    loaded = datasets.load_dataset("parquet", data_dir=str(folder), **options)
    images, _, _ = drawn()
    assert all(np.array_equal(np.asarray(row["image"]), images[index][..., 0]) for index, row in enumerate(loaded))
    raw = loaded.cast_column("image", datasets.Image(decode=False))
    for index, row in enumerate(raw):
        png = row["image"]["bytes"]
        assert read_mark(png) == MARK.source
        assert np.array_equal(decode_png(png, (8, 8, 1)), images[index])
        assert "trainedAlgorithmicMedia" in Image.open(io.BytesIO(png)).info["XML:com.adobe.xmp"]
