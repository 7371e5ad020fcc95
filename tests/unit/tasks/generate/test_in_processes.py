"""Blocks drawn in several processes of this machine: the same bytes as in this one, and no process stays behind."""

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.errors import ReleaseError, ResourcesError
from gan.generation.export import SeededGenerator, export_program
from gan.generation.program_file import load_program_bytes
from gan.networks.build import build_generator
from gan.release.blocks import Artist
from gan.release.recipe import Block, Recipe, Selection
from tasks.generate.here import Here
from tasks.generate.in_processes import InProcesses
from tasks.generate.packed import packed

RECIPE = Recipe(600, 0, 16, ("a", "b"), 6, max_attempts=3)


class Dark:
    """Rejects images with a bright corner, and all of one class where it is told to."""

    reasons = ("bright",)

    def __init__(self, never=-1):
        self.never = never

    def __call__(self, images, labels):
        return ((images[:, 0, 0, 0] > 250) | (labels == self.never)).astype(np.int64)


class Never:
    """Makes a look that keeps nothing of a class."""

    def __call__(self):
        return Dark(1)


@pytest.fixture(scope="module")
def content():
    torch.manual_seed(0)
    network = NetworkConfig(architecture="dcgan", widths=(16, 8), latent_dim=4, embedding_dim=4)
    file = io.BytesIO()
    torch.export.save(export_program(SeededGenerator(build_generator(network, channels=1, num_classes=2))), file)
    return file.getvalue()


def blocks():
    return (Block.fresh(index, 100 * index, np.arange(100) % 2) for index in range(6))


def here(content):
    return Here(load_program_bytes(content, "m"))


def in_processes(content, least_seconds=0.0):
    return InProcesses(here(content), content, least_seconds)


@pytest.fixture(autouse=True)
def three_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)


@pytest.fixture
def only_processes(monkeypatch):
    """Nothing is drawn here."""
    monkeypatch.setattr(Here, "draw", lambda self, *arguments: (each for each in ()))


def files(found):
    return {packed.index: (packed.files, packed.digests, packed.attempts.tolist(), packed.asked) for packed in found}


def children():
    alive = [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in alive if "tasks.generate.draw_worker" in each.cmdline()]


def test_the_bytes_are_those_of_one_process(content, only_processes):
    recipe = Recipe(600, 0, 16, ("a", "b"), 6, max_attempts=50, selection=Selection({}, Dark))
    told = []
    found = files(in_processes(content).draw(recipe, blocks(), told.append, 600))
    assert sum(told) == 600
    assert children() == []
    assert sorted(found) == list(range(6))
    assert found == files(one_process(content, recipe))


def one_process(content, recipe):
    with Artist(load_program_bytes(content, "m"), recipe, threads=1) as artist:
        yield from [packed(artist.draw(block), recipe) for block in blocks()]


def test_this_process_draws_as_one_of_them(content):
    told = []
    found = files(in_processes(content).draw(RECIPE, blocks(), told.append, 600))
    assert told[0] == 0
    assert sum(told) == 600
    assert found == files(one_process(content, RECIPE))


def test_a_small_release_starts_none(content, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    assert len(files(in_processes(content, 60.0).draw(RECIPE, blocks(), lambda count: None, 600))) == 6
    assert len(files(in_processes(content).draw(RECIPE, blocks(), lambda count: None, 31))) == 6


def test_what_a_process_raises_is_raised_here_and_none_stays(content, only_processes):
    recipe = Recipe(600, 0, 16, ("a", "b"), 6, max_attempts=3, selection=Selection({}, Never()))
    with pytest.raises(ReleaseError, match="class «b» was rejected 3 times, mostly as bright"):
        list(in_processes(content).draw(recipe, blocks(), lambda count: None, 600))
    assert children() == []


def kill_all(*_):
    for each in children():
        each.kill()
    yield from ()


KILLED = "a process that draws images was killed, most likely for want of memory"


def test_one_that_is_killed_while_it_starts_is_a_sentence(content, monkeypatch):
    monkeypatch.setattr(Here, "draw", kill_all)
    with pytest.raises(ResourcesError, match=KILLED):
        list(in_processes(content).draw(RECIPE, blocks(), lambda count: None, 600))
    assert children() == []


@pytest.mark.slow
def test_one_that_is_killed_at_work_is_a_sentence(content, only_processes):
    with pytest.raises(ResourcesError, match=KILLED):
        list(in_processes(content).draw(RECIPE, blocks(), lambda count: list(kill_all()), 600))
    assert children() == []


@pytest.mark.parametrize("first_by", ["this one", pytest.param("them", marks=pytest.mark.slow)])
def test_who_stops_listening_ends_them(content, request, first_by):
    if first_by == "them":
        request.getfixturevalue("only_processes")
    with closing(in_processes(content).draw(RECIPE, blocks(), lambda count: None, 600)) as parcels:
        next(parcels)
        assert len(children()) == 2
    assert children() == []


def test_they_end_with_a_process_that_is_killed(content, tmp_path):
    (tmp_path / "program.pt2").write_bytes(content)
    lines = f"""
import itertools, pathlib, sys
import test_in_processes as tests
tests.Here.draw = lambda self, *arguments: (each for each in ())
tests.os.sched_getaffinity = lambda _: {{0, 1, 2}}
content = pathlib.Path({str(tmp_path / "program.pt2")!r}).read_bytes()
blocks = (tests.Block.fresh(index, 100 * index, tests.np.arange(100) % 2) for index in itertools.cycle(range(6)))
for packed in tests.in_processes(content).draw(tests.RECIPE, blocks, lambda count: None, 600):
    print(*(each.pid for each in tests.children()), flush=True)
"""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    with subprocess.Popen(
        [sys.executable, "-c", lines], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}, text=True
    ) as process:
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(psutil.pid_exists(pid) for pid in pids)
