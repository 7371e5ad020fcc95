"""A version on its way to the nodes of a cluster: from a real DVC repository to a folder or a real S3 server."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pyarrow.fs import FileSelector

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.digits import DigitsSource
from gan.data.store.shards import read_split
from gan.errors import DatasetError, InputError, ServiceError
from tasks.dataset import on_node
from tasks.dataset.in_storage import LIST, StoredVersion, md5_of, read_list
from tasks.dataset.on_node import node_version
from tasks.dataset.publishing import publish_version
from tasks.dataset.repository import version_dataset
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration
LOGGER = logging.getLogger(__name__)
SHARD = "train-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home whose current version is the second."""
    home = tmp_path_factory.mktemp("home")
    settings, versions = Settings(ganflow_home=home), []
    for fraction in (0.2, 0.5):
        work = {"work": home / "work", "quarantine": home / "rejects.jsonl"}
        config = DataConfig(resolution=8, holdout_fraction=fraction)
        build_dataset(DigitsSource(), config, home / "staged", **work)
        versions.append(version_dataset(settings, home / "staged").md5)
    return home, versions


@pytest.fixture
def settings(home, tmp_path, monkeypatch):
    monkeypatch.setenv("GANFLOW_CACHE", str(tmp_path / "node"))
    monkeypatch.setattr("tasks.runtime.patience.time.sleep", lambda seconds: None)
    return Settings(ganflow_home=home[0], ganflow_storage=str(tmp_path / "storage"), ray_address="elsewhere:6379")


def folder_of(settings, md5):
    return Path(settings.storage, "datasets", md5)


def test_the_list_is_dvcs_own_and_any_version_can_be_had(home, settings):
    for md5 in home[1]:
        assert publish_version(settings, md5, LOGGER)
        published = folder_of(settings, md5)
        own = home[0] / ".dvc" / "cache" / "files" / "md5" / md5[:2] / f"{md5[2:]}.dir"
        assert (published / LIST).read_bytes() == own.read_bytes()
        files = read_list(own.read_bytes(), md5)
        assert {path.name for path in published.iterdir()} == {*files, LIST}
        assert all(md5_of((published / name).read_bytes()) == each for name, each in files.items())
        assert not publish_version(settings, md5, LOGGER), "it is there whole"
    images = np.concatenate([images for images, _ in read_split(home[0] / "data", "train")])
    assert np.array_equal(node_version(settings.storage, home[1][1], "train", host="h").images, images)


@pytest.mark.parametrize("left", ["half a file", "no list", "another list", "a file less"])
def test_what_was_not_finished_is_finished(home, settings, left):
    md5 = home[1][0]
    publish_version(settings, md5, LOGGER)
    folder = folder_of(settings, md5)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    kept = folder / "dataset.json"
    inode = kept.stat().st_ino
    if left == "half a file":
        (folder / SHARD).write_bytes(whole[SHARD][:1000])
        (folder / LIST).unlink()
    elif left == "a file less":
        (folder / SHARD).unlink()
    else:
        (folder / LIST).unlink() if left == "no list" else (folder / LIST).write_bytes(b"[]")
    assert publish_version(settings, md5, LOGGER)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    assert kept.stat().st_ino == inode, "what was there is not sent again"


def test_of_several_drivers_at_once_none_disturbs_another(home, settings):
    md5 = home[1][0]
    with ThreadPoolExecutor(4) as pool:
        assert any(pool.map(lambda _: publish_version(settings, md5, LOGGER), range(4)))
    assert len(node_version(settings.storage, md5, "train", host="h"))


def test_a_broken_cache_of_dvcs_is_not_handed_on(home, settings, tmp_path):
    other = shutil.copytree(home[0], tmp_path / "home")
    md5 = home[1][0]
    content = (other / ".dvc" / "cache" / "files" / "md5" / md5[:2] / f"{md5[2:]}.dir").read_bytes()
    digest = next(entry["md5"] for entry in json.loads(content) if entry["relpath"] == SHARD)
    file = other / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    file.chmod(0o644)
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(DatasetError, match=rf"{SHARD} of dataset {md5} is broken in the cache"):
        publish_version(settings.model_copy(update={"ganflow_home": other}), md5, LOGGER)
    assert LIST not in StoredVersion(settings.storage, md5).sizes()


def test_an_object_store_serves_as_well(home, settings, bucket):
    _, place = bucket
    md5 = home[1][1]
    on_s3 = settings.model_copy(update={"ganflow_storage": place})
    assert publish_version(on_s3, md5, LOGGER)
    assert not publish_version(on_s3, md5, LOGGER)
    images = np.concatenate([images for images, _ in read_split(home[0] / "data", "train")])
    # another process, as a node has them, and with no home of ganflow's
    program = f"""
from tasks.dataset.on_node import node_version
import hashlib, sys
print(hashlib.sha256(node_version({place!r}, {md5!r}, "train", host="h").images.tobytes()).hexdigest())
print(sorted({{"dvc", "mlflow", "prefect"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.split("\n")[:2] == [hashlib.sha256(images.tobytes()).hexdigest(), "[]"], done.stderr

    stored = StoredVersion(place, md5)
    shard = f"{stored._folder}/{SHARD}"
    with stored._files.open_input_stream(shard) as file:
        whole = file.read()
    with stored._files.open_output_stream(shard) as file:
        file.write(whole[:-1])
    shutil.rmtree(settings.node_cache_dir)
    with pytest.raises(DatasetError, match=rf"^on host h: dataset {md5} in the storage s3://bucket/runs is not as it"):
        node_version(place, md5, "train", host="h")
    assert publish_version(on_s3, md5, LOGGER), "the next training mends it"
    assert len(node_version(place, md5, "train", host="h")) == len(images)
    assert {each.size for each in stored._files.get_file_info(FileSelector(stored._folder))} >= {len(whole)}


def test_a_store_that_is_away_or_refuses_is_a_sentence_without_credentials(home, settings, bucket, monkeypatch):
    server, place = bucket
    md5 = home[1][1]
    refused = place.replace("//bucket", "//nobucket")
    with pytest.raises(InputError, match=r"^the storage s3://nobucket/runs does not work \(.*NO_SUCH_BUCKET") as caught:
        publish_version(settings.model_copy(update={"ganflow_storage": refused}), md5, LOGGER)
    server.stop()
    monkeypatch.setattr(on_node, "patiently", lambda act, what, on_warning: act())
    with pytest.raises(ServiceError, match=r"^on host h: the storage s3://bucket/runs does not answer \(") as away:
        node_version(place, md5, "train", host="h")
    assert "hunter" not in f"{caught.value} {away.value}"
