"""What is decided before Ray starts: the header, and what is missing."""

import pytest

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import preset
from gan.data.store.dataset import DatasetInfo
from gan.errors import ConfigError, WeightsError
from gan.training.header import Header, WarmStartRecord
from tasks.runtime.settings import Settings
from tasks.train.resources import WorkerRange
from tasks.train.trainer import checkpoint_header, train_on_ray


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
