"""A release on its way to a stand-in of the Hugging Face hub, by the command, Prefect and a real registry."""

import json
import shlex
from pathlib import Path

import pytest
from hub_stand_in import EMPTY, Hub
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness

from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from tasks.generate.manifest import files_in
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, TRAINING, client, experiment_id, run
from tasks.tracking.registry import register_version
from tasks.train.step import TRAINING_DIGESTS
from tests.unit.tasks.generate.test_judging import EVALUATION

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
NETWORK = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)
GENERATE = ("generate", "-m", "1", "-n", "20", "--preset", "debug", "--name", "r", "--push-to-hub", "anna/digits")


@pytest.fixture
def settings(ganflow, tmp_path, monkeypatch):
    """A home whose registry has one version, and a Prefect server for all commands."""
    with prefect_test_harness(server_startup_timeout=120):
        monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
        yield home_with_a_version(tmp_path)


def home_with_a_version(tmp_path):
    settings = Settings(ganflow_home=tmp_path / "home")
    settings.home.mkdir()
    tags = {"dataset_md5": "0" * 32, "class_names": json.dumps(["a", "b", "c"])}
    EVALUATION.to_json(tmp_path / "evaluation.json")
    generator = SeededGenerator(build_generator(NETWORK, channels=1, num_classes=3))
    with run(settings, TRAINING, "small", tags) as log:
        register_version(settings, log, generator, checkpoint="c", config={}, tags=tags, card="# card")
        log.file(tmp_path / "evaluation.json")
        log.text("\n", TRAINING_DIGESTS)
    return settings


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with Hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        yield hub


@pytest.mark.slow
def test_a_push_that_failed_is_said_and_done_again_without_drawing(ganflow, settings, hub):
    hub.refuse["/repos/create"] = 403, "not today"
    status, out, err = ganflow(*GENERATE, "--json")
    assert status == 1, err
    failed, said = json.loads(out), out + err
    assert failed["hub"] is failed["hub_commit"] is None
    assert "the token may not write to anna/digits" in failed["hub_error"]
    folder = Path(failed["path"])
    assert folder.is_dir()
    assert not hub.repositories

    words = shlex.split(failed["hub_error"].split("`")[1])[1:]
    status, out, err = ganflow(*words, "--json")
    assert status == 0, err
    pushed, said = json.loads(out), said + out + err
    assert (pushed["existed"], pushed["md5"], pushed["hub_error"]) == (True, failed["md5"], None)
    repository = hub.repositories["anna/digits"]
    assert repository.private
    assert repository.tags == {"r": pushed["hub_commit"]}
    assert repository.files("r") == EMPTY | {name: (folder / name).read_bytes() for name in files_in(folder)}
    runs = client(settings).search_runs([experiment_id(client(settings), settings, RELEASES)])
    (tags,) = [each.data.tags for each in runs if "hub" in each.data.tags]
    assert (tags["hub"], tags["hub_commit"]) == (pushed["hub"], pushed["hub_commit"])
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert hub.token not in said
    assert not [path for path in files if hub.token.encode() in path.read_bytes()]

    assert ganflow("recall", "r", "--reason", "stripes")[0] == 0
    asked = len(hub.requests)
    status, out, _ = ganflow(*words)
    assert status == 1
    assert "it is not on the hub: release r is recalled (stripes) and is not handed on" in out
    assert len(hub.requests) == asked
