"""Releases drawn by any number of workers and over any number of kills have the same bytes.

`GANFLOW_DRILL_SEED` draws the moments.
"""

import dataclasses
import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from ray.cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from releasing import release, small_program

from gan.configuration.config import EvaluationConfig
from gan.data.store.resident import Resident
from gan.data.store.shards import read_split
from gan.errors import ReleaseError, ServiceError
from gan.evaluation.real import RealFeatures, RealImages
from gan.release.realism import UNREALISTIC
from gan.release.recipe import Selection
from tasks.evaluate.extraction import open_extraction
from tasks.generate.manifest import verify_release
from tasks.generate.on_ray import OnRay
from tasks.generate.realistic import realistic
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration
SEED = int(os.environ.get("GANFLOW_DRILL_SEED", "0"))
KILLS, IMAGES, SHARD = 3, 3000, 75
SMALL = {"num_images": 500, "batch_size": 32, "shard_images": 90}


@pytest.fixture(scope="module", autouse=True)
def known_to_workers():
    """Ray's processes do not import tests."""
    here = sys.modules[__name__]
    register_pickle_by_value(here)
    yield
    unregister_pickle_by_value(here)


@pytest.fixture(scope="module")
def program():
    return small_program()


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_kills_change_no_byte(program, tmp_path):
    (tmp_path / "program.pt2").write_bytes(program)
    form = ("parquet", "webdataset", "imagefolder", "npz")[SEED % 4]
    wanted = release(
        tmp_path / "one", program, num_images=IMAGES, batch_size=32, shard_images=SHARD, format=form
    ).folder
    draws = random.Random(SEED)
    home = tmp_path / "two"
    folder, records = home / "synthetic" / "r", home / ".ganflow" / "releases" / "r" / "shards"
    command = [sys.executable, "-m", "releasing", home, tmp_path / "program.pt2", str(IMAGES), str(SHARD), form]
    here = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(here)}

    def done():
        return len(list(records.glob("*.json")))

    for _ in range(KILLS):
        goal, pause = done() + draws.randint(0, 9), draws.random() / 20
        with subprocess.Popen(command, env=environment) as process:
            while done() < goal and process.poll() is None:
                time.sleep(0.001)
            time.sleep(pause)
            process.kill()
        assert process.returncode == -9
        assert not folder.exists()
    assert done() > 0
    subprocess.run(command, env=environment, check=True, timeout=200)
    assert contents(folder) == contents(wanted)
    assert [path for path in (home / ".ganflow").rglob("*") if path.is_file()] == []


class Bright:
    """Rejects images with a bright corner."""

    reasons = ("bright",)

    def __call__(self, images, labels):
        return (images[:, 0, 0, 0] > 150).astype(np.int64)


def prints(images):
    found = np.zeros(len(images), [("mean", "<u8"), ("picture", "u1", (2, 2))])
    found["mean"], found["picture"] = images.mean(axis=(1, 2, 3)), images[:, ::4, ::4, 0] // 16
    return found


def alike(found):
    _, first = np.unique(found["picture"].reshape(len(found), -1), axis=0, return_index=True)
    return sorted(set(range(len(found))) - set(first.tolist()))


SELECTION = Selection({"corner": 150}, Bright, prints, alike)


@pytest.mark.slow
def test_neither_does_the_number_of_workers(program, tmp_path):
    own = {**SMALL, "max_attempts": 200, "selection": SELECTION}
    wanted = release(tmp_path / "here", program, **own)
    assert wanted.manifest["selection"]["corner"] == 150
    assert 0 < wanted.manifest["selection"]["yield"] < 1
    assert set(wanted.manifest["selection"]["rejected"]) == {"bright", "duplicate"}
    done = []
    for workers in (1, 2):
        home = tmp_path / str(workers)
        drawer = OnRay(Settings(ganflow_home=home), program, workers)
        found = release(home, program, drawer=drawer, on_progress=done.append, **own)
        assert contents(found.folder) == contents(wanted.folder)
        assert (done[0], done[-1]) == (0, 500)
        assert done == sorted(done)
        done.clear()


@pytest.mark.slow
def test_nor_who_holds_the_images_against_real_ones(program, tmp_path):
    """By the real network; the threshold is the median of these very images, so that the last bits decide."""
    images = np.concatenate([images for images, _ in read_split(release(tmp_path, program, **SMALL).folder, "train")])
    settings = Settings(ganflow_home=tmp_path)
    real = RealImages("d", {"train": Resident(images[100:140], np.zeros(40, np.int64))}, ())
    config = EvaluationConfig(precision="fp32")
    features = RealFeatures(real, open_extraction(settings, config), tmp_path / "cache", 0)
    kept = realistic(settings, config, lambda: features, 0.0, lambda what, total: lambda done: None)
    realism = kept.manifold.realism(features.extraction.extractor.extract([images[:48]]))
    kept = dataclasses.replace(kept, least=float(np.median(realism)))
    own = {"num_images": 48, "batch_size": 16, "shard_images": 10, "selection": Selection({}, kept), "max_attempts": 99}
    wanted = release(tmp_path / "here", program, **own)
    rejected = sum(wanted.manifest["selection"]["rejected"][UNREALISTIC].values())
    assert rejected >= 20
    home = tmp_path / "ray"
    drawer = OnRay(Settings(ganflow_home=home), program, 2)
    assert contents(release(home, program, drawer=drawer, **own).folder) == contents(wanted.folder)


class Never:
    """Rejects one class."""

    reasons = ("too alike", "never")

    def __call__(self, images, labels):
        return 2 * (labels == 1)


@pytest.mark.slow
def test_what_an_actor_raises_is_the_same_sentence(program, tmp_path):
    drawer = OnRay(Settings(ganflow_home=tmp_path), program, 2)
    with pytest.raises(ReleaseError, match=r"class «one / eins» was rejected 20 times, mostly as never: select less"):
        release(tmp_path, program, drawer=drawer, selection=Selection({}, Never), **SMALL)
    assert list((tmp_path / "synthetic").iterdir()) == []


@pytest.mark.slow
def test_what_a_worker_had_that_dies_another_one_draws(program, tmp_path):
    own = {**SMALL, "num_images": 6000, "shard_images": 500}
    wanted = release(tmp_path / "here", program, **own)
    home, killed, done = tmp_path / "ray", [], []

    def kill_one(now):
        done.append(now)
        if now > 600 and not killed:
            painters = [each for each in psutil.Process().children(recursive=True) if "ray::Painter" in each.name()]
            painters[0].kill()
            killed.append(painters[0].pid)

    warnings = []
    drawer = OnRay(Settings(ganflow_home=home), program, 2, warnings.append)
    found = release(home, program, drawer=drawer, on_progress=kill_one, **own)
    assert killed
    assert warnings == ["a worker is gone, and the other 1 draw what it had"]
    assert contents(found.folder) == contents(wanted.folder)
    assert done == sorted(done)
    assert done[-1] == 6000


@pytest.mark.slow
def test_where_no_worker_is_left_it_may_be_tried_again_and_goes_on(program, tmp_path):
    own = {**SMALL, "num_images": 3000, "shard_images": 100}
    wanted = release(tmp_path / "here", program, **own)
    home, done = tmp_path / "ray", []

    def kill_all(now):
        done.append(now)
        if now > 600:
            for each in psutil.Process().children(recursive=True):
                if "ray::Painter" in each.name():
                    each.kill()

    with pytest.raises(ServiceError, match="Ray"):
        release(home, program, drawer=OnRay(Settings(ganflow_home=home), program), on_progress=kill_all, **own)
    found = release(home, program, on_progress=done.append, **own)
    assert contents(found.folder) == contents(wanted.folder)
    assert next(now for place, now in enumerate(done) if place and now <= done[place - 1]) >= 300


@pytest.mark.slow
def test_the_nodes_of_a_cluster_draw_what_one_process_does(program, cluster, monkeypatch, tmp_path):
    own = {**SMALL, "num_images": 3000}
    wanted = release(tmp_path / "here", program, **own)
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    warnings = []
    settings = Settings(ganflow_home=tmp_path / "cluster", ray_address=cluster.address)
    found = release(settings.home, program, drawer=OnRay(settings, program, 7, warnings.append), **own)
    assert contents(found.folder) == contents(wanted.folder)
    assert warnings == ["there is room for 3 of 7 workers, so as many draw"]


@pytest.mark.parametrize("form", ["webdataset", "imagefolder", "npz"])
def test_other_formats_are_checked_as_parquet_is(program, tmp_path, form):
    found = release(tmp_path, program, format=form, **SMALL)
    assert verify_release(found.folder) == found.manifest
    again = release(tmp_path, program, format=form, **SMALL)
    assert again.existed
    with pytest.raises(ReleaseError, match=f"exists with format {form}, not parquet"):
        release(tmp_path, program, **SMALL)
    file = next(path for path in sorted(found.folder.rglob("*")) if path.suffix in (".tar", ".png", ".npz"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ReleaseError, match=r"is not as manifest\.json says"):
        verify_release(found.folder)
