"""The gate's hands on a real registry (SQLite): versions, aliases, programs."""

import contextlib
import getpass
import json
import pickle
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import onnxruntime
import pytest
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from gan.configuration.config import NetworkConfig
from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import debug
from gan.configuration.provenance import Configuration
from gan.errors import InputError, LabelError, ModelNotFoundError, NonFiniteLossError, ServiceError, UnsafeModelError
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from tasks.champion.changing import Wish, champion, promote_whatever
from tasks.runtime.settings import Settings
from tasks.tracking import logged_model
from tasks.tracking.client import RELEASES, TRAINING, RunLog, client, end_abandoned_runs, run
from tasks.tracking.own_configuration import fixed_name, own_configuration, version_configuration
from tasks.tracking.registry import load_program, register_version, require_label
from tasks.tracking.runs import next_seed, run_tags
from tasks.tracking.versions import find_model

pytestmark = pytest.mark.integration
CONFIG = apply_overrides(debug(), ["train.total_kimg=0.1", "optimizer.lr=1e-05", 'data.class_map={"ç: #": null}'])


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(ganflow_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None)


def small_generator(seed):
    torch.manual_seed(seed)
    network = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)
    return SeededGenerator(build_generator(network, channels=3, num_classes=3))


def new_version(settings, seed):
    tags = {"dataset_md5": "0" * 32, "class_names": json.dumps(["a", "b\n", "ç"])}
    with run(settings, TRAINING, "small", tags) as log:
        return register_version(
            settings,
            log,
            small_generator(seed),
            checkpoint=f"sha {seed}",
            config=CONFIG.model_dump(mode="json"),
            tags=tags,
            card="# card",
        )


@pytest.fixture(scope="module")
def versions(settings):
    assert champion(settings) is None
    with pytest.raises(ModelNotFoundError, match="«champion»"):
        find_model(settings, "champion")
    with pytest.MonkeyPatch.context() as patch:  # the last one alone has model.onnx, which takes seconds each
        patch.setattr(logged_model, "save_onnx", lambda *_: "")
        first = [new_version(settings, seed) for seed in range(2)]
    return [*first, new_version(settings, 2)]


def test_a_new_version_is_challenger_and_nothing_else(settings, versions):
    assert [model.version for model in versions] == [1, 2, 3]
    assert find_model(settings, "challenger") == versions[2]
    assert versions[0].class_names == ("a", "b\n", "ç")
    experiment = client(settings).get_experiment_by_name(TRAINING)
    models = client(settings).search_logged_models([experiment.experiment_id])
    assert {model.source_run_id for model in models} == {version.run_id for version in versions}
    for model in models:
        assert model.status == "READY"
        assert model.artifact_location.startswith(experiment.artifact_location)


def test_no_tag_tells_whose_machine_made_a_version(settings, versions):
    with contextlib.closing(sqlite3.connect(settings.home / "mlflow.db")) as database:
        tables = ("tags", "logged_model_tags", "model_version_tags", "params")
        rows = [row for table in tables for row in database.execute(f"select * from {table}")]
    values = [str(value) for row in rows for value in row]
    assert "dataset_md5" in values
    assert getpass.getuser() not in values
    for place in (socket.gethostname(), str(settings.home), str(Path(__file__).parents[2]), sys.argv[0]):
        assert [value for value in values if place in value and len(place) > 2] == []


def test_a_run_registered_again_is_one_version(settings, versions):
    count = len(client(settings).search_model_versions("name = 'gan-generator'"))
    log = RunLog(client(settings), versions[1].run_id)
    tags = {"dataset_md5": "0" * 32, "class_names": '["a", "b\\n", "ç"]', "kid1k": "0.1"}
    again = register_version(
        settings, log, small_generator(1), checkpoint="sha 1", config={}, tags=tags, card="# new card"
    )
    assert again == versions[1] == find_model(settings, "challenger")
    found = client(settings).get_model_version("gan-generator", str(again.version))
    assert (found.tags["kid1k"], found.description) == ("0.1", "# new card")
    assert len(client(settings).search_model_versions("name = 'gan-generator'")) == count
    assert client(settings).get_run(log.run_id).info.status == "FINISHED"


def test_a_registration_that_fails_leaves_its_training_finished(settings, versions, monkeypatch):
    def save_model(*arguments, **options):
        assert client(settings).get_run(log.run_id).info.status == "FINISHED", "a kill here would leave it RUNNING"
        raise RuntimeError("no room")

    log = RunLog(client(settings), versions[0].run_id)
    monkeypatch.setattr("mlflow.pytorch.save_model", save_model)
    with pytest.raises(RuntimeError, match="no room"):
        register_version(settings, log, small_generator(9), checkpoint="another", config={}, tags={}, card="")
    assert client(settings).get_run(log.run_id).info.status == "FINISHED"


def test_a_loaded_version_is_the_registered_program(settings, versions):
    program = load_program(settings, versions[1])
    rows = torch.tensor([[seed, seed % 3] for seed in range(40)] + [[2**62, -1]])
    loaded, eager = program(rows).numpy(), small_generator(1)(rows).numpy()
    assert loaded.dtype == np.uint8
    assert loaded.shape == (41, 8, 8, 3)
    assert np.abs(loaded.astype(int) - eager.astype(int)).max() <= 1


def test_a_version_brings_the_same_program_as_onnx(settings, versions, tmp_path):
    file = Path(mlflow.artifacts.download_artifacts(f"{versions[2].uri}/model.onnx", dst_path=tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    rows = torch.tensor([[seed, seed % 3] for seed in range(-20, 20)] + [[2**62, -1]])
    (images,) = onnxruntime.InferenceSession(file).run(None, {"seed_label": rows.numpy()})
    loaded = load_program(settings, versions[2])(rows).numpy()
    assert np.abs(images.astype(int) - loaded).max() <= 1
    for place in (socket.gethostname(), str(settings.home), str(Path(__file__).parents[2])):
        assert place.encode() not in file.read_bytes()


def test_a_version_without_onnx_is_warned_of_and_draws_all_the_same(settings, versions, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    model = new_version(settings, 7)
    (record,) = [each for each in caplog.records if each.name == "tasks.tracking.logged_model"]
    assert record.levelname == "WARNING"
    assert "there is no model.onnx beside the program" in record.message
    with pytest.raises(MlflowException, match=r"No such artifact: .model\.onnx"):
        mlflow.artifacts.download_artifacts(f"{model.uri}/model.onnx")
    assert load_program(settings, model)(torch.tensor([[0, 0]])).shape == (1, 8, 8, 3)


def test_a_version_carries_its_configuration_whatever_became_of_its_run(settings, versions):
    """These runs never had a `config.json`."""
    carried = Configuration(origin="version", name="2", config=CONFIG)
    assert own_configuration(settings, "2") == version_configuration(settings, versions[1]) == carried


def test_an_alias_is_fixed_to_the_version_that_it_names(settings, versions):
    promote_whatever(settings, 3, Wish("for the test", "for the test"))
    assert fixed_name(settings, "champion") == "3"
    assert fixed_name(settings, "2") == "2"
    with pytest.raises(ModelNotFoundError, match="«nobody»"):
        fixed_name(settings, "nobody")


@pytest.mark.parametrize("label", [-2, 3, 2**40])
def test_labels_outside_the_classes_are_refused(versions, label):
    for allowed in (-1, 0, 2):
        require_label(versions[0], allowed)
    with pytest.raises(LabelError, match=r"0 to 2"):
        require_label(versions[0], label)


def test_a_version_that_is_not_there(settings, versions):
    with pytest.raises(ModelNotFoundError, match="«17»"):
        find_model(settings, "17")


@pytest.mark.parametrize("name", ["\ud800", "\0", "9" * 5000, "٣", "a/b", "", " ", "x" * 5000])
def test_a_name_that_no_version_can_have(settings, name):
    with pytest.raises(ModelNotFoundError, match="has no gan-generator «"):
        find_model(settings, name)


def test_each_retraining_of_a_recipe_takes_the_next_seed(settings):
    config = debug()
    tags = {"recipe": config.recipe_hash(), "dataset_md5": "f" * 32}
    assert next_seed(settings, config, "f" * 32) == 0
    with run(settings, TRAINING, "first", tags) as log:
        log.params(config)
        assert next_seed(settings, config, "f" * 32) == 1, "it is being trained, and two at once shall not be the same"
    assert next_seed(settings, config, "f" * 32) == 1
    assert next_seed(settings, config, "e" * 32) == 0

    def fail(error):
        with run(settings, TRAINING, "failed", tags | {"dataset_md5": "d" * 32}) as log:
            log.params(config)
            raise error

    with pytest.raises(OSError, match="full"):
        fail(OSError("full"))
    assert next_seed(settings, config, "d" * 32) == 0, "it is gone on with"
    with pytest.raises(NonFiniteLossError):
        fail(NonFiniteLossError("the loss became NaN"))
    assert next_seed(settings, config, "d" * 32) == 1, "the same seed would diverge again"
    longer = config.model_copy(update={"train": config.train.model_copy(update={"total_kimg": 9.0})})
    assert next_seed(settings, longer, "f" * 32) == 0
    assert next_seed(settings, config, "f" * 32, recipe="the same from a warm start") == 0
    with run(settings, TRAINING, "of somebody else", tags) as log:
        log.client.log_param(log.run_id, "train.seed", "seven")
    assert next_seed(settings, config, "f" * 32) == 1, "whoever may write to MLflow may write runs that make no sense"


def test_an_mlflow_that_is_away_is_not_taken_for_one_that_has_no_such_run(settings, monkeypatch):
    with pytest.raises(InputError, match="there is no run"):
        run_tags(settings, "0" * 32)

    def away(self, run_id):
        raise MlflowException("API request to http://h/api failed with exception HTTPConnectionPool: Max retries")

    monkeypatch.setattr(MlflowClient, "get_run", away)
    with pytest.raises(ServiceError, match="MLflow does not answer as it should"):
        run_tags(settings, "0" * 32)


def test_a_run_that_raises_is_marked_failed(settings):
    with pytest.raises(RuntimeError), run(settings, TRAINING, "broken", {}) as log:
        raise RuntimeError
    assert MlflowClient(settings.tracking_uri).get_run(log.run_id).info.status == "FAILED"


class Touch:
    """What a pickle does when it is read: it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.filterwarnings("ignore")
def test_a_version_with_a_pickle_is_refused_and_does_not_run(settings, versions, tmp_path, monkeypatch):
    mark, folder = tmp_path / "ran", tmp_path / "model"
    mlflow.pytorch.save_model(small_generator(0), folder, serialization_format="pickle", input_example=None)
    (weights,) = (folder / "data").glob("*.pth")
    weights.write_bytes(pickle.dumps(Touch(mark)))
    version = client(settings).create_model_version("gan-generator", folder.as_uri()).version
    model = find_model(settings, str(version))
    with pytest.raises(UnsafeModelError, match=r"only programs of torch\.export are loaded"):
        load_program(settings, model)
    assert not mark.exists()
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")  # as somebody may have exported it
    client(settings)
    with pytest.raises(MlflowException, match="pickle"):
        mlflow.pytorch.load_model(model.uri)
    assert not mark.exists()


@pytest.mark.parametrize("source", ["http://127.0.0.1:9/model", "unheard-of://place", "file:///nowhere/model"])
def test_a_version_whose_place_makes_no_sense_is_refused(settings, versions, source):
    version = client(settings).create_model_version("gan-generator", source).version
    with pytest.raises(UnsafeModelError, match=r"has no data/model.pt2 that can be read"):
        load_program(settings, find_model(settings, str(version)))


def test_the_run_of_a_killed_process_is_ended_and_others_are_left_alone(settings):
    program = f"""
from pathlib import Path
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, create_run
settings = Settings(ganflow_home=Path({str(settings.home)!r}), mlflow_tracking_uri={settings.mlflow_tracking_uri!r})
print(create_run(settings, RELEASES, "killed", {{}}).run_id, flush=True)
input()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with run(settings, RELEASES, "lives", {}) as log:
        with subprocess.Popen([sys.executable, "-c", program], **pipes) as process:
            killed = process.stdout.readline().strip()
            assert end_abandoned_runs(settings) == []
            process.kill()
        assert end_abandoned_runs(settings) == [killed]
        assert log.client.get_run(killed).info.status == "KILLED"
        assert log.client.get_run(log.run_id).info.status == "RUNNING"
    assert end_abandoned_runs(settings) == []
