"""Whether a version draws for others what G_ema draws: real registry (SQLite), a process without this project."""

import json
import shutil

import pytest
import torch
import yaml

from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from tasks.register.program_check import same_to_others
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, client, run
from tasks.tracking.registry import register_version
from tasks.tracking.versions import find_model

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
NETWORK = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)


def generator(seed, channels=3):
    torch.manual_seed(seed)
    return SeededGenerator(build_generator(NETWORK, channels=channels, num_classes=3))


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(ganflow_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None)


@pytest.fixture(scope="module")
def version(settings):
    tags = {"dataset_md5": "0" * 32, "class_names": json.dumps(["a", "b", "c"])}
    with run(settings, TRAINING, "small", tags) as log:
        return register_version(settings, log, generator(0), checkpoint="c", config={}, tags=tags, card="# card")


def test_the_program_of_a_version_is_its_checkpoints(settings, version, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")  # which somebody may have exported
    look = same_to_others(settings, version, generator(0), 120)
    assert look.passed, look.said
    assert look.check == "program"
    assert not list(settings.state_dir.glob("scratch/*")), "what was downloaded is gone"


def test_a_program_that_draws_something_else_is_refused(settings, version):
    look = same_to_others(settings, version, generator(1), 120)
    assert not look.passed
    assert "of 255 grey levels from G_ema's at most" in look.said


@pytest.mark.slow
def test_a_program_that_draws_another_shape_is_refused(settings, version):
    grey = same_to_others(settings, version, generator(0, channels=1), 120)
    assert (grey.passed, grey.said) == (False, "its program draws uint8 [4, 8, 8, 3], and G_ema uint8 [4, 8, 8, 1]")


def test_a_program_that_takes_too_long_to_load_is_refused(settings, version):
    look = same_to_others(settings, version, generator(0), 0.05)
    assert not look.passed
    assert "took more than gate.load_seconds 0.05" in look.said


CODE = "wants other code than MLflow's own to be run"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"loader_module": "antigravity"}, CODE),
        ({"code": "code"}, CODE),
        ({"pickle_module_name": "antigravity"}, CODE),
        ({"data": ["code"]}, CODE),
        ("a flavor", CODE),
        ("no flavor", CODE),
        ("a file", "has more than data/model.pt2"),
        ("the program", "model.pt2"),
        ("all", "cannot be downloaded"),
    ],
    ids=str,
)
def test_a_version_that_wants_code_to_be_run_is_refused_before_it_runs(
    settings, version, tmp_path, monkeypatch, change, said
):
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("it was loaded"))
    there = next(path for path in (settings.home / "mlartifacts").rglob("MLmodel"))
    folder = tmp_path / "model"
    shutil.copytree(there.parent, folder)
    tree = yaml.safe_load((folder / "MLmodel").read_text())
    if isinstance(change, dict):
        tree["flavors"]["python_function"] |= change
    if change == "a flavor":
        tree["flavors"]["sklearn"] = {}
    if change == "no flavor":
        tree["flavors"]["python_function"] = "mlflow.pytorch"
    (folder / "MLmodel").write_text(yaml.safe_dump(tree))
    if change == "a file":
        (folder / "data" / "pickle_module_info.txt").write_text("antigravity")
    if change == "the program":
        (folder / "data" / "model.pt2").write_bytes(b"PK")
    if change == "all":
        shutil.rmtree(folder)
    number = client(settings).create_model_version("gan-generator", folder.as_uri()).version
    look = same_to_others(settings, find_model(settings, str(number)), generator(0), 120)
    assert not look.passed
    assert look.said.startswith("its program cannot be used without ganflow: ")
    assert said in look.said
