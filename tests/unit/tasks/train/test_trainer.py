"""What is decided around Ray: the header, and which checkpoint is taken."""

from types import SimpleNamespace

import pytest

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import preset
from gan.data.store.dataset import DatasetInfo
from gan.errors import CheckpointError, ConfigError, WeightsError
from gan.training.checkpoint import HASHES, TENSORS, save_checkpoint
from gan.training.header import Header, WarmStartRecord
from tasks.runtime.settings import Settings
from tasks.train.resources import WorkerRange
from tasks.train.run_storage import RunStorage
from tasks.train.trainer import TrainingResult, _fetch_best, checkpoint_header, train_on_ray
from tasks.train.validator import NOT_MEASURED


def info(**changes):
    fields = {
        "name": "n",
        "source_kind": "folder",
        "resolution": 16,
        "channels": 3,
        "class_names": ("a", "b"),
        "crop": "centre",
        "filter": "lanczos",
        "background": "#ffffff",
        "class_map": {},
        "split": "hash",
        "holdout_fraction": 0.1,
        "num_train": 10,
        "num_test": 2,
        "counts": {},
        "mean": (0.5, 0.5, 0.5),
        "std": (0.2, 0.2, 0.2),
        "rejects": {},
    }
    return DatasetInfo(**fields | changes)


def test_the_header_says_what_a_checkpoint_was_made_from():
    config = preset("digits")
    header = checkpoint_header(config, info(), "abc")
    assert header == Header(
        config=config.model_dump(mode="json"),
        warm_start=None,
        training_hash=config.training_hash(),
        dataset_md5="abc",
        channels=3,
        num_classes=2,
        class_names=("a", "b"),
    )


def test_a_warm_start_is_another_training_and_each_model_gives_another():
    config = preset("digits")
    records = [None, *(WarmStartRecord(version, "r", "d") for version in (1, 2))]
    headers = [checkpoint_header(config, info(), "abc", record) for record in records]
    assert [header.warm_start for header in headers] == records
    assert len({header.training_hash for header in headers}) == 3
    assert checkpoint_header(config, info(), "abc", records[1]) == headers[1]


def test_an_unconditional_network_has_no_classes():
    config = preset("digits")
    config = config.model_copy(update={"network": config.network.model_copy(update={"conditional": False})})
    assert checkpoint_header(config, info(), "abc").num_classes == 0
    assert checkpoint_header(preset("digits"), info(class_names=()), "abc").num_classes == 0


def test_another_resolution_is_refused_with_both_numbers_and_the_way_out():
    sentence = r"the dataset is 32 px but preset digits makes 16 px: ingest again with --set data\.resolution=16"
    with pytest.raises(ConfigError, match=sentence):
        checkpoint_header(preset("digits"), info(resolution=32), "abc")


def test_more_classes_than_the_network_may_have_are_refused_with_both_numbers():
    names = tuple("abc")
    few = apply_overrides(preset("digits"), ["network.max_classes=2"])
    sentence = r"the dataset has 3 classes but network\.max_classes is 2: raise it, merge classes"
    with pytest.raises(ConfigError, match=sentence):
        checkpoint_header(few, info(class_names=names), "abc")
    assert checkpoint_header(few, info(class_names=names[:2]), "abc").num_classes == 2
    blind = apply_overrides(few, ["network.conditional=false"])
    assert checkpoint_header(blind, info(class_names=names), "abc").num_classes == 0


@pytest.fixture
def stored(tmp_path, make_header):
    """Make a storage with a checkpoint for each image count, and what Ray Train says of those, not in order."""

    def of(kids):
        storage = RunStorage(str(tmp_path), "run")
        listed = []
        for nimg, kid in kids.items():
            folder = tmp_path / "run" / f"checkpoint_{nimg:09d}"
            folder.mkdir(parents=True)
            save_checkpoint(folder, make_header(cur_nimg=nimg), {})
            listed.append((SimpleNamespace(path=str(folder)), {"cur_nimg": nimg, "kid": kid}))
        return storage, SimpleNamespace(best_checkpoints=listed[::-1])

    return of


@pytest.mark.parametrize(
    ("kids", "cur_nimg", "kid"),
    [
        ({100: 0.3, 200: 0.1, 300: 0.2}, 200, 0.1),
        ({100: -0.001, 200: 0.0, 300: NOT_MEASURED}, 100, -0.001),
        ({100: 0.2, 200: 0.2}, 200, 0.2),
        ({100: NOT_MEASURED, 200: NOT_MEASURED}, 200, None),
    ],
)
def test_the_checkpoint_of_lowest_kid_is_taken_or_else_the_last(tmp_path, stored, kids, cur_nimg, kid):
    storage, result = stored(kids)
    taken = _fetch_best(result, storage, tmp_path / "out", 320, pytest.fail)
    assert taken == TrainingResult(tmp_path / "out", cur_nimg, 320, kid)


def test_a_best_checkpoint_that_is_damaged_is_passed_over_and_said(tmp_path, stored):
    storage, result = stored({100: 0.3, 200: 0.1, 300: NOT_MEASURED})
    (tmp_path / "run" / "checkpoint_000000200" / TENSORS).write_bytes(b"")
    said = []
    taken = _fetch_best(result, storage, tmp_path / "out", 320, said.append)
    assert taken == TrainingResult(tmp_path / "out", 100, 320, 0.3)
    assert said == ["checkpoint_000000200 is cut short or altered: the next best checkpoint is taken"]


def test_without_rays_list_the_newest_checkpoint_is_taken(tmp_path, stored):
    storage, result = stored({100: 0.3, 200: 0.1})
    result.best_checkpoints = None
    assert _fetch_best(result, storage, tmp_path / "out", 320, pytest.fail).cur_nimg == 200
    for nimg in (100, 200):
        (tmp_path / "run" / f"checkpoint_{nimg:09d}" / HASHES).unlink()
    with pytest.raises(CheckpointError, match="run run left no complete checkpoint"):
        _fetch_best(result, storage, tmp_path / "out", 320, pytest.fail)


def test_missing_weights_are_told_before_anything_starts(tmp_path):
    import ray

    config = preset("digits")
    assert config.evaluation.watch_images > 0
    settings = Settings(ganflow_home=tmp_path, ganflow_inception_weights=tmp_path / "away.pt")
    with pytest.raises(WeightsError, match=r"the Inception weights .*away\.pt cannot be read"):
        train_on_ray(
            config,
            checkpoint_header(config, info(), "abc"),
            settings,
            name="n",
            workers=WorkerRange(1, 1),
            destination=tmp_path / "out",
            on_progress=lambda record: None,
            on_warning=lambda sentence: None,
        )
    assert not ray.is_initialized()
    assert list(tmp_path.iterdir()) == []
