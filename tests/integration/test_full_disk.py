"""Disks that are really full, out of inodes or read-only: one sentence, and what was there stands."""

import contextlib
import os
import resource
import shutil
import subprocess
import sys

import pytest
import torch
from small_disk import disk, filled

from gan.configuration.config import NetworkConfig, ReleaseConfig
from gan.data.files.atomic import write_whole
from gan.errors import ResourcesError
from gan.generation.export import SeededGenerator
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.networks.build import build_generator
from tasks.dataset.repository import current_md5, ensure_data, version_dataset
from tasks.generate.release import build_release, verify_release
from tasks.runtime.failures import explained
from tasks.runtime.settings import Settings, require_writable_home
from tasks.tracking.client import TRAINING, client, create_run, ending, run
from tasks.tracking.registry import register_version
from tasks.tracking.versions import RegisteredModel

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]


@pytest.fixture
def small(tmp_path):
    with disk(tmp_path / "disk", "size=8m,nr_inodes=2000") as folder:
        yield folder


@contextlib.contextmanager
def without_inodes(folder):
    """Leave no name free within the block."""
    many = folder / "many"
    many.mkdir()
    with contextlib.suppress(OSError):
        for number in range(10_000):
            (many / str(number)).touch()
    try:
        yield
    finally:
        shutil.rmtree(many)


@contextlib.contextmanager
def read_only(folder):
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


def home(folder):
    settings = Settings(ganflow_home=folder / "home", mlflow_tracking_uri=f"sqlite:///{folder}/home/mlflow.db")
    require_writable_home(settings)
    return settings


@contextlib.contextmanager
def told(words):
    """The block fails for want of room, in a sentence that holds `words` once it is explained."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever library it was
        yield
    sentence = explained(caught.value, "HOME")
    assert isinstance(sentence, ResourcesError), caught.value
    assert words in str(sentence)
    assert not sentence.transient


HINDRANCES = [(filled, "is full"), (without_inodes, "is full"), (read_only, "is read-only")]


@pytest.mark.parametrize(("hindrance", "words"), HINDRANCES)
def test_a_file_is_as_it_was(small, hindrance, words):
    write_whole(small / "note", "before")
    with hindrance(small):
        with told(words):
            write_whole(small / "note", "x" * 10_000)
        assert (small / "note").read_text() == "before"
    assert [path.name for path in small.iterdir()] == ["note"]


@pytest.mark.parametrize("arguments", [("ingest", "digits"), ("sample",), ("dataset", "log"), ("evaluate",)])
@pytest.mark.parametrize(("hindrance", "words"), HINDRANCES[1:])
def test_every_verb_says_so(ganflow, monkeypatch, small, hindrance, words, arguments):
    monkeypatch.setenv("GANFLOW_HOME", str(small / "home"))
    with hindrance(small):
        status, out, err = ganflow(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("ganflow: ")
    assert words in err
    assert err.count("\n") == 1
    assert not (small / "home").exists()


@pytest.mark.parametrize("arguments", [("ingest", "digits"), ("run", "--preset", "debug")])
def test_a_verb_that_works_in_a_full_home_says_so_before_any_server_is_started(ganflow, monkeypatch, small, arguments):
    monkeypatch.setenv("GANFLOW_HOME", str(small / "home"))
    client(home(small))
    with filled(small):
        status, out, err = ganflow(*arguments)
    assert (status, out) == (1, "")
    assert err == (
        f"ganflow: the disk of {small / 'home'} is full: free some space or inodes and try again; "
        "what was there before stands\n"
    )


def test_dvc_and_the_dataset(small, tmp_path):
    settings = home(small)

    def staged(size):
        folder = small / "staged"
        folder.mkdir()
        (folder / "part").write_bytes(os.urandom(size))
        return folder

    before = version_dataset(settings, staged(1000)).md5
    large = staged(3_000_000)
    with filled(small), told("is full"):
        version_dataset(settings, large)
    assert current_md5(settings) == before
    assert ensure_data(settings) == before
    assert (settings.data_dir / "part").stat().st_size == 1000
    shutil.rmtree(large, ignore_errors=True)
    assert version_dataset(settings, staged(2000)).changed


def generator():
    torch.manual_seed(0)
    network = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)
    return SeededGenerator(build_generator(network, channels=3, num_classes=3))


def release(settings, **others):
    protocol = Protocol(
        num_generated=1000,
        num_reference=900,
        reference_split="train",
        resize="tf1",
        network="inception",
        network_sha256="s",
        precision="bf16",
        dataset_md5="0" * 32,
        seed=0,
    )
    evaluation = Evaluation(protocol=protocol, metrics={"kid1k": Metric(value=0.01)})
    model = RegisteredModel(3, "r77", "0" * 32, ("a", "b", "c"), "gan-generator")
    own = {key: others.pop(key) for key in ("on_progress",) if key in others}
    return build_release(
        settings,
        model,
        generator(),
        ReleaseConfig(num_images=50, batch_size=10, **others),
        name="r",
        evaluation=evaluation,
        training_digests=frozenset(),
        configuration="of version 3",
        **own,
    )


def test_a_release(small):
    settings = home(small)
    with filled(small), told("is full"):
        release(settings)
    assert not settings.synthetic_dir.exists()
    assert list((settings.state_dir / "releases").iterdir()) == []
    assert not release(settings).existed


def test_a_release_that_a_full_disk_cut_short_goes_on_from_its_shards(small):
    settings, done = home(small), []

    def fill_amid(now):
        if now >= 24 and not (small / "ballast").exists():
            done.append(now)
            with (small / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

    with told("is full"):
        release(settings, shard_images=6, on_progress=fill_amid)
    assert not settings.synthetic_dir.exists()
    (small / "ballast").unlink()
    shards = len(list((settings.state_dir / "releases" / "r" / "shards").glob("*.json")))
    assert 0 < shards < 9
    found = release(settings, shard_images=6, on_progress=done.append)
    assert done[1] >= 5 * shards  # equal within one: of five or six images
    assert verify_release(found.folder)["generation"]["num_images"] == 50


def test_mlflow(small):
    settings = home(small)
    with run(settings, TRAINING, "whole", {}) as log:
        log.metrics({"kid": 1.0}, step=1)
        log.text("before", "note.txt")
    with filled(small), told("is full"):
        for step in range(2, 100_000):
            log.metrics({f"kid{number}": 1.0 for number in range(100)}, step=step)
    with filled(small), told("is full"):
        log.text("after" * 10_000, "other.txt")
    found = client(settings).get_run(log.run_id)
    assert (found.info.status, found.data.metrics["kid"]) == ("FINISHED", 1.0)
    log.text("again", "again.txt")


def test_a_registration(small):
    settings = home(small)
    with ending(create_run(settings, TRAINING, "whole", {})) as log:
        pass
    tags = {"dataset_md5": "0" * 32, "class_names": "[]"}
    with filled(small), told("is full"):
        register_version(settings, log, generator(), checkpoint="c", config={}, tags=tags, card="card")
    assert client(settings).search_model_versions() == []
    assert client(settings).get_run(log.run_id).info.status == "FINISHED"
    assert register_version(settings, log, generator(), checkpoint="c", config={}, tags=tags, card="card").version == 1


def test_a_limit_on_the_size_of_files(tmp_path):
    program = """
import sys
from pathlib import Path
from flows.command.console import errors_as_sentences
from gan.data.files.atomic import write_whole
with errors_as_sentences():
    write_whole(Path(sys.argv[1]), bytes(100_000))
"""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "large")], capture_output=True, text=True, preexec_fn=limit
    )
    assert done.returncode == 1
    assert done.stderr.startswith("ganflow: a file in ")
    assert "ulimit -f" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
