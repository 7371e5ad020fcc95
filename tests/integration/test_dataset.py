"""A run keeps the version it began with, on a real DVC repository."""

import shutil

import pytest

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.digits import DigitsSource
from gan.data.store.resident import open_resident
from gan.data.store.shards import read_column
from gan.errors import DatasetError
from tasks.dataset.current import current_dataset, load_version, training_digests
from tasks.dataset.earlier import hold_dataset
from tasks.dataset.publishing import POINTER
from tasks.dataset.repository import current_md5, version_dataset, version_files
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration


def stage(settings, **changes):
    staged = settings.home / "staged"
    places = {"work": settings.home / "work", "quarantine": settings.home / "rejects.jsonl"}
    build_dataset(DigitsSource(), DataConfig(resolution=8, **changes), staged, **places)
    return staged


def ingest(settings, **changes):
    return version_dataset(settings, stage(settings, **changes)).md5


def test_an_ingest_that_comes_later_changes_nothing_for_a_run(tmp_path):
    settings = Settings(ganflow_home=tmp_path)
    with pytest.raises(DatasetError, match="ganflow ingest"):
        current_dataset(settings)
    first = ingest(settings)
    digests = read_column(settings.data_dir, "train", "sha256")
    held = current_dataset(settings)
    second = ingest(settings, holdout_fraction=0.5)
    assert current_dataset(settings).md5 == second != first == held.md5
    assert len(read_column(settings.data_dir, "train", "sha256")) < held.info.num_train
    assert training_digests(settings, held.md5) == digests
    shutil.rmtree(settings.resident_dir / first)
    with pytest.raises(DatasetError, match=first):
        load_version(settings.data_dir, settings.resident_dir, first)


def test_an_earlier_version_is_held_while_data_stays_the_current_one(tmp_path):
    settings = Settings(ganflow_home=tmp_path)
    first = ingest(settings)
    whole = current_dataset(settings)
    second = ingest(settings, holdout_fraction=0.5)
    shutil.rmtree(settings.resident_dir)
    there = {path.name: path.read_bytes() for path in settings.data_dir.iterdir()}
    held = hold_dataset(settings, first)
    assert (held.md5, held.info) == (first, whole.info)
    assert len(load_version(settings.data_dir, settings.resident_dir, first)) == whole.info.num_train
    assert len(load_version(settings.data_dir, settings.resident_dir, first, "test")) == whole.info.num_test
    assert {path.name: path.read_bytes() for path in settings.data_dir.iterdir()} == there
    assert current_md5(settings) == second
    assert hold_dataset(settings, second) == current_dataset(settings)
    with pytest.raises(DatasetError, match="neither in the cache"):
        hold_dataset(settings, "0" * 32)
    for odd in ("../../etc", f"{first}\n", "", "x.dir\n  cmd: true"):
        with pytest.raises(DatasetError, match="names no version of a dataset"):
            hold_dataset(settings, odd)


def test_an_earlier_version_that_is_broken_in_the_cache_is_refused(tmp_path):
    settings = Settings(ganflow_home=tmp_path)
    first = ingest(settings)
    ingest(settings, holdout_fraction=0.5)
    file = next(path for name, path in version_files(settings, first, POINTER.format(first)).items() if "test" in name)
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(DatasetError, match="is broken in the cache"):
        hold_dataset(settings, first)


def test_the_digests_of_the_current_version_need_no_image(tmp_path):
    settings = Settings(ganflow_home=tmp_path)
    first = ingest(settings)
    assert training_digests(settings, first) == read_column(settings.data_dir, "train", "sha256")
    assert not settings.resident_dir.exists()


def test_a_damaged_dataset_is_restored_before_it_is_read(tmp_path):
    settings = Settings(ganflow_home=tmp_path)
    md5 = ingest(settings)
    shard = next(settings.data_dir.glob("train-*.parquet"))
    whole = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(whole[:-100])
    assert current_dataset(settings).md5 == md5
    assert shard.read_bytes() == whole


def test_what_a_kill_left_of_one_version_is_not_filled_with_another(tmp_path):
    """Decoding was stopped by a kill, then an ingest replaced `data/`: no pixel of it passes for what was asked for."""
    settings = Settings(ganflow_home=tmp_path)
    first = ingest(settings)
    current_dataset(settings)
    for name in ("record.json", "test-images.npy"):
        (settings.resident_dir / first / name).unlink()
    ingest(settings, holdout_fraction=0.5)
    for split in ("train", "test"):
        with pytest.raises(DatasetError, match=f"{first}.*ganflow dataset checkout {first}"):
            load_version(settings.data_dir, settings.resident_dir, first, split)
    assert open_resident(settings.resident_dir, first, "train") is None


def test_images_that_a_person_put_into_data_do_not_pass_for_the_version(tmp_path):
    """`data.dvc` says one version, the files are another's: what is decoded is the version."""
    settings = Settings(ganflow_home=tmp_path)
    first = ingest(settings)
    digests = read_column(settings.data_dir, "train", "sha256")
    staged = stage(settings, holdout_fraction=0.5)
    shutil.rmtree(settings.data_dir)
    staged.rename(settings.data_dir)
    assert len(load_version(settings.data_dir, settings.resident_dir, first)) == len(digests)
    assert training_digests(settings, first) == digests


def test_a_node_without_the_home_is_refused_and_gets_none(tmp_path):
    home = tmp_path / "elsewhere"
    with pytest.raises(DatasetError, match="is neither in"):
        load_version(home / "data", tmp_path / "cache", "0" * 32)
    assert not home.exists()
