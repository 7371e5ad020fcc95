"""A run keeps the version it began with, on a real DVC repository."""

import shutil

import pytest

from gan.config import DataConfig
from gan.data.build import build_dataset
from gan.data.shards import read_column
from gan.data.sources.digits import DigitsSource
from gan.errors import DatasetError
from tasks.dataset import current_dataset, load_version, training_digests
from tasks.dvc_repo import version_dataset
from tasks.settings import Settings

pytestmark = pytest.mark.integration


def ingest(settings, **changes):
    staged = settings.home / "staged"
    places = {"work": settings.home / "work", "quarantine": settings.home / "rejects.jsonl"}
    build_dataset(DigitsSource(), DataConfig(resolution=8, **changes), staged, **places)
    return version_dataset(settings, staged).md5


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


def test_a_damaged_dataset_is_restored_before_it_is_read(tmp_path):
    settings = Settings(ganflow_home=tmp_path)
    md5 = ingest(settings)
    shard = next(settings.data_dir.glob("train-*.parquet"))
    whole = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(whole[:-100])
    assert current_dataset(settings).md5 == md5
    assert shard.read_bytes() == whole
