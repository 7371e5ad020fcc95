"""Whole ingests without Prefect: killed at random moments, on a full disk, without the remote, resumed, incremental."""

import gzip
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from gan.configuration.config import DataConfig
from gan.data.origin import Origin
from gan.data.sources.spec import SourceSpec
from gan.data.store.dataset import read_dataset_info
from gan.data.store.shards import read_split
from gan.errors import DatasetError, ResourcesError
from tasks.dataset.catalogue import versions
from tasks.dataset.repository import current_md5, ensure_data, version_dataset
from tasks.ingest import ledger
from tasks.ingest.run import IngestResult, files_of, ingest_dataset, one_ingest_at_a_time
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration
LOG = logging.getLogger(__name__)
CONFIG = DataConfig(resolution=16)


def write_idx(folder: Path, count: int, *, first: int = 0, size: int = 16) -> SourceSpec:
    """An IDX dataset of `count` images, each made from its own number, so that two sets share the images they share."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, images in (("train", count), ("t10k", max(4, count // 10))):
        base = first + (10**6 if split == "t10k" else 0)
        pixels = np.stack([np.random.default_rng(base + n).integers(0, 256, (size, size)) for n in range(images)])
        labels = (np.arange(images) + first) % 4
        head = np.array([0x803, images, size, size], ">u4").tobytes()
        (folder / f"{split}-images-idx3-ubyte").write_bytes(head + pixels.astype(np.uint8).tobytes())
        head = np.array([0x801, images], ">u4").tobytes()
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(head + labels.astype(np.uint8).tobytes()))
    return SourceSpec(str(folder))


def ingest(
    settings: Settings, spec: SourceSpec, config: DataConfig = CONFIG, origin: Origin | None = None
) -> IngestResult:
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return ingest_dataset(settings, spec, config, LOG, announce=False, origin=origin)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def home(path: Path) -> Settings:
    # MLflow leaves the address that it used last in the environment.
    return Settings(ganflow_home=path, mlflow_tracking_uri=f"sqlite:///{path / 'mlflow.db'}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return home(tmp_path / "home")


def test_one_source_in_two_homes_has_one_md5_and_nothing_is_left_behind(tmp_path):
    spec = write_idx(tmp_path / "source", 300)
    homes = [home(tmp_path / name) for name in ("one", "two")]
    first, second = (ingest(home, spec) for home in homes)
    assert first.version.md5 == second.version.md5
    assert contents(homes[0].data_dir) == contents(homes[1].data_dir)
    assert not (homes[0].state_dir / "ingest").exists()
    again = ingest(homes[0], spec)
    assert (again.version.md5, again.version.changed) == (first.version.md5, True), "nobody was told of it yet"
    again = ingest(homes[0], spec)
    assert (again.version.md5, again.version.changed) == (first.version.md5, False)


def test_a_refused_ingest_leaves_the_dataset_and_lists_the_rejects(settings, tmp_path):
    before = ingest(settings, write_idx(tmp_path / "source", 100)).version.md5
    held = contents(settings.data_dir)
    images = np.fromfile(tmp_path / "source" / "train-images-idx3-ubyte", np.uint8)
    images[16 : 16 + 20 * 256] = 7
    images.tofile(tmp_path / "source" / "train-images-idx3-ubyte")
    with pytest.raises(DatasetError, match=r"20 of 110 files .*\(20 blank\).*quarantine\.jsonl"):
        ingest(settings, SourceSpec(str(tmp_path / "source")))
    assert current_md5(settings) == before
    assert contents(settings.data_dir) == held
    lines = [json.loads(line) for line in files_of(settings).quarantine.read_text("utf-8").splitlines()]
    assert len(lines) == 20
    assert lines[0] == {
        "path": "train-images-idx3-ubyte/0",
        "reason": "blank",
        "detail": "every pixel is the same",
    }


def test_a_full_disk_is_one_sentence_and_the_dataset_stays(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        settings = home(disk / "home")
        before = ingest(settings, write_idx(tmp_path / "small", 200)).version.md5
        held = contents(settings.data_dir)
        with pytest.raises(ResourcesError, match=rf"is full: .* dataset {before} is as it was") as refused:
            ingest(settings, write_idx(tmp_path / "large", 20_000))
        assert "\n" not in str(refused.value)
        assert current_md5(settings) == before
        assert contents(settings.data_dir) == held
        shutil.rmtree(settings.state_dir / "ingest")
        assert not ingest(settings, SourceSpec(str(tmp_path / "small"))).version.changed
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_killed_ingest_is_resumed_and_not_done_again(settings, tmp_path, caplog):
    spec = write_idx(tmp_path / "source", 5000)
    # Killed when a part has been finished, which shows on disk.
    process = start(settings.home, spec)
    parts = settings.state_dir / "ingest" / "parts"
    while not list(parts.glob("*.arrow")):
        assert process.poll() is None
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    # They end by themselves, and the last may finish its part first.
    assert not psutil.wait_procs(workers, timeout=60)[1]
    there = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.arrow")}
    assert 0 < len(there) < 6
    assert current_md5(settings) is None
    done = ingest(settings, spec)
    assert done.built.reused == sum(1000 for _ in there)
    other = home(tmp_path / "other")
    assert ingest(other, spec).version.md5 == done.version.md5


def test_a_version_that_a_kill_left_unrecorded_is_recorded_by_the_next_ingest(settings, tmp_path):
    spec = write_idx(tmp_path / "source", 100)
    md5 = ingest(settings, spec).version.md5  # whose record its caller has to send, who was killed
    assert [each.md5 for each in versions(settings) if each.first_made] == []
    assert ledger.deliver_outbox(settings, pytest.fail) == md5
    assert [each.md5 for each in versions(settings) if each.first_made] == [md5]
    assert ledger.deliver_outbox(settings, pytest.fail) is None


def test_two_ingests_wait_for_each_other(settings, tmp_path, caplog):
    settings.state_dir.mkdir(parents=True)
    script = "import time; time.sleep(1); print('free', flush=True)"
    with one_ingest_at_a_time(settings, LOG):
        waiting = start(settings.home, write_idx(tmp_path / "source", 50))
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
        assert waiting.poll() is None
        assert current_md5(settings) is None
    assert waiting.wait() == 0
    assert current_md5(settings) is not None


DRIVER = """
import logging, sys
from pathlib import Path
from gan.configuration.config import DataConfig
from gan.data.sources.spec import SourceSpec
from tasks.ingest.run import ingest_dataset, one_ingest_at_a_time
from tasks.runtime.settings import Settings
settings = Settings(ganflow_home=Path(sys.argv[1]))
settings.state_dir.mkdir(parents=True, exist_ok=True)
print("begins", flush=True)
with one_ingest_at_a_time(settings, logging.getLogger()):
    ingest_dataset(settings, SourceSpec(sys.argv[2]), DataConfig(resolution=16), logging.getLogger(), announce=False)
"""


def start(folder: Path, spec: SourceSpec) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", DRIVER, str(folder), spec.spec]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    # SingleWorker in its group, so that its workers can be ended with it.
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, env=environment)


MANY = (pytest.mark.slow, pytest.mark.timeout(3600))


@pytest.mark.parametrize("moments", [pytest.param(1, id="1"), pytest.param(20, id="20", marks=MANY)])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_dataset(tmp_path, moments):
    old_spec, new_spec = write_idx(tmp_path / "old", 1500), write_idx(tmp_path / "new", 2500, first=500)
    template = tmp_path / "template"
    old = ingest(home(template), old_spec).version.md5
    whole = home(tmp_path / "whole")
    shutil.copytree(template, whole.home)
    held = {old: contents(whole.data_dir)}
    begins = time.monotonic()
    assert start(whole.home, new_spec).wait() == 0
    lasts = time.monotonic() - begins
    new = current_md5(whole)
    held[new] = contents(whole.data_dir)
    assert new != old
    dice = random.Random(os.getpid())  # other moments each time; printed where it fails
    seen = []
    for _ in range(moments):
        killed = home(tmp_path / f"killed-{len(seen)}")  # MLflow keeps its databases open
        shutil.copytree(template, killed.home)
        process = start(killed.home, new_spec)
        process.stdout.readline()
        moment = dice.uniform(0, lasts)
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        md5 = ensure_data(killed)
        seen.append((round(moment, 2), md5))
        assert md5 in held, seen
        assert contents(killed.data_dir) == held[md5], seen
        assert ingest(killed, new_spec).version.md5 == new, seen
        assert contents(killed.data_dir) == held[new], seen


def test_a_version_of_before_there_was_croissant_stays_until_something_else_changes(settings, tmp_path):
    spec = write_idx(tmp_path / "source", 200)
    described = ingest(settings, spec).version.md5
    assert (settings.data_dir / "croissant.json").exists()
    old = shutil.copytree(settings.data_dir, tmp_path / "old", ignore=lambda folder, names: {"croissant.json"})
    before = version_dataset(settings, old).md5
    assert before != described
    assert ingest(settings, spec).version.md5 == before
    assert not (settings.data_dir / "croissant.json").exists()
    assert ingest(settings, spec, origin=Origin(licence="MIT")).version.md5 != before
    assert json.loads((settings.data_dir / "croissant.json").read_text())["license"].endswith("/MIT")


def test_new_and_removed_images_touch_only_their_shards(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("gan.data.building.assemble.rows_of_shard", lambda image_bytes: 1000)
    ingest(settings, write_idx(tmp_path / "source", 5000))
    before = contents(settings.data_dir)
    assert len(before) == 5 + 1 + 2
    ingest(settings, write_idx(tmp_path / "source", 5100))
    after = contents(settings.data_dir)
    assert [after[f"train-{n:05d}-of-00006.parquet"] for n in range(5)] == [
        before[f"train-{n:05d}-of-00005.parquet"] for n in range(5)
    ]
    ingest(settings, write_idx(tmp_path / "source", 5000, first=100))  # 100 go, none of them comes again
    less = contents(settings.data_dir)
    assert [less[f"train-{n:05d}-of-00006.parquet"] for n in range(1, 5)] == [
        after[f"train-{n:05d}-of-00006.parquet"] for n in range(1, 5)
    ]
    assert less["train-00000-of-00006.parquet"] != after["train-00000-of-00006.parquet"]
    info = read_dataset_info(settings.data_dir)
    assert sum(len(labels) for _, labels in read_split(settings.data_dir, "train")) == info.num_train == 5000
