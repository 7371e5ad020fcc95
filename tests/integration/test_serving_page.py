"""docs/serving.md: each example as it stands, on a real registry, in a process without ganflow and a network."""

import json
import pickle
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import torch
from consumers import PAGE, PORT, ROWS, Consumer, blocks, free_port, packages

from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from tasks.champion.changing import Wish, promote_whatever
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, client, run
from tasks.tracking.registry import register_version

pytestmark = pytest.mark.integration
PYFUNC, PYTORCH, REST, ONNX = "## MLflow's pyfunc", "## PyTorch, also on a GPU", "## REST", "## ONNX"
CONSTRAINTS = PAGE.parent.parent / "constraints.txt"


def generator():
    torch.manual_seed(0)
    network = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)
    G = build_generator(network, channels=3, num_classes=3)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return SeededGenerator(G)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A registry with a champion."""
    settings = Settings(ganflow_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None)
    tags = {"dataset_md5": "0" * 32, "class_names": json.dumps(["a", "b", "c"])}
    with run(settings, TRAINING, "small", tags) as log:
        model = register_version(settings, log, generator(), checkpoint="c", config={}, tags=tags, card="# card")
    promote_whatever(settings, model.version, Wish("for the test", "for the test"))
    return settings


@pytest.fixture
def consumer(settings, tmp_path):
    return Consumer(tmp_path, Path(sys.executable), settings)


def check_images(images):
    wanted = generator()(torch.tensor(ROWS)).numpy()
    assert images.shape == wanted.shape
    assert np.abs(images - wanted.astype(int)).max() <= 1
    assert wanted.std() > 5


def check_rest(consumer, client_of_it):
    """Serve, ask by curl where there is one, and by a consumer's Python."""
    port = str(free_port())
    serve, ask = [block.replace(str(PORT), port) for block in blocks(REST, "bash")[1:]]
    (program,) = blocks(REST, "python")
    with consumer.server(serve, int(port)):
        check_images(client_of_it.draw(program.replace(str(PORT), port)))
        if shutil.which("curl"):
            answer = consumer.shell(ask)
            assert answer.returncode == 0, answer.stderr
            check_images(np.array(json.loads(answer.stdout)["predictions"]))


@pytest.mark.parametrize("heading", [PYFUNC, *(pytest.param(each, marks=pytest.mark.slow) for each in (PYTORCH, ONNX))])
def test_an_example_draws_the_registered_images(consumer, heading):
    (program,) = blocks(heading, "python")
    check_images(consumer.draw(program))


@pytest.mark.slow
def test_a_served_model_answers_curl_and_python(consumer):
    check_rest(consumer, consumer)


def test_an_example_has_neither_ganflow_nor_a_network(consumer):
    """Else the tests above would show nothing."""
    for line, reason in (
        ("import gan", "import of gan halted"),
        ("import socket; socket.create_connection(('192.0.2.1', 80))", "no network here"),
        ("import urllib.request; urllib.request.urlopen('http://example.org')", "no network here"),
    ):
        done = consumer.shell(f'exec python -c "{line}"')
        assert done.returncode == 1
        assert reason in done.stderr


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.slow
def test_an_example_refuses_a_version_in_which_somebody_put_a_pickle(settings, consumer, tmp_path):
    mark, folder = tmp_path / "ran", tmp_path / "model"
    shutil.copytree(next(settings.home.rglob("model.pt2")).parent.parent, folder)
    (folder / "data" / "model.pt2").unlink()
    (folder / "data" / "model.pth").write_bytes(pickle.dumps(Touch(mark)))
    (folder / "data" / "pickle_module_info.txt").write_text("pickle")
    version = client(settings).create_model_version("gan-generator", folder.as_uri()).version
    (program,) = blocks(PYFUNC, "python")
    (tmp_path / "example.py").write_text(program.replace("@champion", f"/{version}"), "utf-8")
    done = consumer.shell("exec python example.py")
    assert done.returncode == 1
    assert "pickle" in done.stderr
    assert not mark.exists()


def test_the_page_says_what_the_files_are(settings):
    folder = next(settings.home.rglob("model.onnx")).parent
    named = re.findall(r"^\| `([\w./]+)` \|", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    assert named == ["data/model.pt2", "model.onnx"]
    assert all((folder / each).is_file() for each in named)


def fresh(folder, names):
    """The interpreter of a new environment with these packages alone, from wherever pip is told to take them."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    if names:
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", CONSTRAINTS, *names]
        subprocess.run([python, *install], check=True, timeout=1500)
    have = subprocess.run([python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True).stdout
    assert not {each["name"] for each in json.loads(have)} & {"ganflow", "prefect", "ray", "dvc"}
    return python


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_each_example_needs_only_what_it_says(settings, tmp_path):
    pythons = {}
    for heading in (PYFUNC, PYTORCH, REST, ONNX):
        names = tuple(packages(heading))
        if names not in pythons:
            pythons[names] = fresh(tmp_path / f"environment-{len(pythons)}", names)
        (tmp_path / heading).mkdir()
        consumer = Consumer(tmp_path / heading, pythons[names], settings)
        if heading == REST:
            (tmp_path / "client").mkdir()
            check_rest(consumer, Consumer(tmp_path / "client", fresh(tmp_path / "bare", ()), settings))
        else:
            (program,) = blocks(heading, "python")
            check_images(consumer.draw(program))
    onnx_python = pythons[tuple(packages(ONNX))]
    assert subprocess.run([onnx_python, "-c", "import torch"], capture_output=True).returncode, "ONNX needs no torch"
