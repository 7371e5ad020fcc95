"""What is decided around Ray: header, shares, and which checkpoint is taken."""

from types import SimpleNamespace

import pytest

from gan.data.dataset import DatasetInfo
from gan.errors import ConfigError, ResourcesError, WeightsError
from gan.presets import preset
from tasks.settings import Settings
from tasks.training import TrainingResult, _taken, checkpoint_header, share_out, train_on_ray
from tasks.validation import NOT_MEASURED


@pytest.mark.parametrize(
    ("nodes", "workers", "share"),
    [
        ([{"CPU": 2.0}], 1, {"CPU": 2, "GPU": 0}),
        ([{"CPU": 2.0}], 2, {"CPU": 1, "GPU": 0}),
        ([{"CPU": 7.0}], 2, {"CPU": 3, "GPU": 0}),
        ([{"CPU": 16.0, "GPU": 1.0}], 1, {"CPU": 16, "GPU": 1}),
        ([{"CPU": 16.0, "GPU": 4.0, "memory": 1e9}], 3, {"CPU": 5, "GPU": 1}),
        ([{"CPU": 4.0}] * 3, 1, {"CPU": 4, "GPU": 0}),
        ([{"CPU": 4.0}] * 3, 4, {"CPU": 2, "GPU": 0}),
        ([{"CPU": 8.0, "GPU": 1.0}, {"CPU": 2.0, "GPU": 1.0}, {"CPU": 64.0}], 2, {"CPU": 2, "GPU": 1}),
    ],
)
def test_shares_are_even_and_whole(nodes, workers, share):
    assert share_out(nodes, workers) == share


@pytest.mark.parametrize(
    ("nodes", "workers", "sentence"),
    [
        ([{"CPU": 2.0}], 3, "3 workers were asked for but the Ray cluster has 2 CPUs: lower --workers or add nodes"),
        ([{}], 1, "1 workers were asked for but the Ray cluster has 0 CPUs"),
        ([{"CPU": 8.0}, {"GPU": 2.0}], 2, "no node of the Ray cluster has a CPU beside each GPU"),
        ([{"CPU": 8.0, "GPU": 2.0}], 3, "3 workers were asked for but the Ray cluster has 2 GPUs: lower --workers"),
    ],
)
def test_a_cluster_that_is_too_small_is_refused_with_both_numbers(nodes, workers, sentence):
    with pytest.raises(ResourcesError, match=sentence):
        share_out(nodes, workers)


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
    assert header == {
        "config": config.model_dump(mode="json"),
        "training_hash": config.training_hash(),
        "dataset_md5": "abc",
        "channels": 3,
        "num_classes": 2,
        "class_names": ["a", "b"],
    }


def test_an_unconditional_network_has_no_classes():
    config = preset("digits")
    config = config.model_copy(update={"network": config.network.model_copy(update={"conditional": False})})
    assert checkpoint_header(config, info(), "abc")["num_classes"] == 0
    assert checkpoint_header(preset("digits"), info(class_names=()), "abc")["num_classes"] == 0


def test_another_resolution_is_refused_with_both_numbers_and_the_way_out():
    sentence = r"the dataset is 32 px but preset digits makes 16 px: ingest again with --set data\.resolution=16"
    with pytest.raises(ConfigError, match=sentence):
        checkpoint_header(preset("digits"), info(resolution=32), "abc")


def test_more_classes_than_allowed_are_refused_with_both_numbers_and_the_ways_out():
    names = tuple(f"class {number}" for number in range(1001))
    sentence = r"the dataset has 1001 classes but network\.max_classes is 1000: raise it, .*data\.class_map"
    with pytest.raises(ConfigError, match=sentence):
        checkpoint_header(preset("digits"), info(class_names=names), "abc")
    assert checkpoint_header(preset("digits"), info(class_names=names[1:]), "abc")["num_classes"] == 1000
    config = preset("digits")
    config = config.model_copy(update={"network": config.network.model_copy(update={"conditional": False})})
    assert checkpoint_header(config, info(class_names=names), "abc")["num_classes"] == 0


@pytest.mark.parametrize(
    ("kids", "cur_nimg", "kid"),
    [
        ({100: 0.3, 200: 0.1, 300: 0.2}, 200, 0.1),
        ({100: -0.001, 200: 0.0, 300: NOT_MEASURED}, 100, -0.001),
        ({100: 0.2, 200: 0.2}, 200, 0.2),
        ({100: NOT_MEASURED, 200: NOT_MEASURED}, 200, None),
    ],
)
def test_the_checkpoint_of_lowest_kid_is_taken_or_else_the_last(tmp_path, kids, cur_nimg, kid):
    fetched = []
    checkpoints = [
        (
            SimpleNamespace(to_directory=lambda folder, nimg=nimg: fetched.append((nimg, folder))),
            {"cur_nimg": nimg, "kid": kid},
        )
        for nimg, kid in kids.items()
    ]
    result = SimpleNamespace(best_checkpoints=checkpoints, metrics=checkpoints[-1][1])
    assert _taken(result, tmp_path) == TrainingResult(tmp_path, cur_nimg, max(kids), kid)
    assert fetched == [(cur_nimg, str(tmp_path))]


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
            workers=1,
            destination=tmp_path / "out",
            on_progress=lambda record: None,
            on_warning=lambda sentence: None,
        )
    assert not ray.is_initialized()
    assert list(tmp_path.iterdir()) == []
