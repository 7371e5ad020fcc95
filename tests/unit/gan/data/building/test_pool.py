"""Jobs in several processes."""

import importlib
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data import records
from gan.data.building.build import build_dataset
from gan.data.building.encode import Job
from gan.data.building.pool import Pool
from gan.data.building.recipe import Recipe
from gan.data.files.tree import folder_tree
from gan.data.pixels.decode import WHITE
from gan.data.sources.folder import FolderSource
from gan.errors import DatasetError, ResourcesError

CONFIG = DataConfig(resolution=8, holdout_fraction=0.3)
# Parts that a process of its own can import: each is one record, a reject whose reason says what happened.
PARTS = """
    import os, signal
    from dataclasses import dataclass
    from gan.data.records import Reject
    from gan.errors import DatasetError

    @dataclass(frozen=True)
    class Process:
        number: int

        def __len__(self):
            return 1

        def read(self):
            yield Reject(str(self.number), str(os.getpid()))

        def identity(self):
            return str(self.number)

    class Killed(Process):
        def read(self):
            if self.number == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().read()

    class Refused(Process):
        def read(self):
            if self.number == 5:
                raise DatasetError("part 5 is odd")
            return super().read()

    class Talking(Process):
        def read(self):
            print("to standard output", flush=True)
            os.write(1, b"to its descriptor")
            return super().read()
"""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)


@pytest.fixture
def parts(tmp_path, monkeypatch):
    (tmp_path / "odd_parts.py").write_text(textwrap.dedent(PARTS))
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("odd_parts")
    del sys.modules["odd_parts"]


@pytest.fixture
def started(monkeypatch):
    """Note the processes that are started."""
    found = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            found.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return found


def jobs_of(part, count):
    return [Job(part(number), Recipe.of(CONFIG)) for number in range(count)]


def on_all_cores(jobs):
    with Pool() as workers:
        yield from workers.run(jobs)


def pids(results, count):
    tables = dict(results)
    assert set(tables) == set(range(count))
    rows = [pa.ipc.open_file(tables[number]).read_all().to_pylist()[0] for number in range(count)]
    assert [row["path"] for row in rows] == [str(number) for number in range(count)]
    return {int(row["reason"]) for row in rows}


def test_many_processes_and_one_give_equal_bytes(tmp_path, contents, monkeypatch, started):
    for index in range(40):
        path = tmp_path / "set" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 256, (9, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    monkeypatch.setattr(records, "PART_IMAGES", 5)
    source = FolderSource(folder_tree(tmp_path / "set"), WHITE)
    assert len(source.parts()) == 8
    for name, options in (("one", {}), ("many", {"run_jobs": on_all_cores})):
        places = {"work": tmp_path / f"{name}-work", "quarantine": tmp_path / f"{name}.jsonl"}
        build_dataset(source, CONFIG, tmp_path / name, **places, **options)
    assert len(started) == 2
    assert contents(tmp_path / "one") == contents(tmp_path / "many")
    assert contents(tmp_path / "one-work") == contents(tmp_path / "many-work")


def test_every_job_is_done_once_in_one_of_the_processes_and_they_end(parts, started):
    found = pids(on_all_cores(jobs_of(parts.Process, 20)), 20)
    assert found <= {process.pid for process in started}
    assert [process.poll() for process in started] == [-signal.SIGKILL] * 2


def test_one_part_or_one_core_stays_in_this_process(parts, monkeypatch, started):
    assert pids(on_all_cores(jobs_of(parts.Process, 1)), 1) == {os.getpid()}
    assert list(on_all_cores([])) == []
    assert None not in [process.poll() for process in started]
    started.clear()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert pids(on_all_cores(jobs_of(parts.Process, 8)), 8) == {os.getpid()}
    assert not started


def test_a_killed_process_is_explained_and_the_others_end(parts, started):
    with pytest.raises(ResourcesError, match=r"a process that reads images was killed, most likely for want of memory"):
        list(on_all_cores(jobs_of(parts.Killed, 8)))
    assert None not in [process.poll() for process in started]


def test_what_a_part_raises_is_raised_here(parts, started):
    with pytest.raises(DatasetError, match="part 5 is odd"):
        list(on_all_cores(jobs_of(parts.Refused, 8)))
    assert None not in [process.poll() for process in started]


def test_what_a_library_prints_is_no_result(parts, started):
    assert pids(on_all_cores(jobs_of(parts.Talking, 8)), 8) <= {process.pid for process in started}


def test_who_stops_listening_ends_the_processes(parts, started):
    results = on_all_cores(jobs_of(parts.Process, 50))
    next(results)
    results.close()
    assert len(started) == 2
    assert None not in [process.poll() for process in started]
