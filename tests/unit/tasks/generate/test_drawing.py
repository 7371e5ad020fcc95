"""In which precision a release is drawn: as it is asked for, and by itself only where nobody could tell the images."""

import io

import numpy as np
import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator, export_program
from gan.generation.program_file import load_program_bytes
from gan.networks.build import build_generator
from tasks.generate import drawing
from tasks.generate.drawing import Probe, choose_precision, find_drawer
from tasks.generate.here import Here
from tasks.generate.in_processes import InProcesses
from tasks.generate.on_ray import OnRay
from tasks.runtime.settings import Settings


@pytest.fixture(scope="module")
def content():
    """The file of a program."""
    torch.manual_seed(0)
    network = NetworkConfig(architecture="dcgan", widths=(16, 8), latent_dim=4, embedding_dim=4)
    file = io.BytesIO()
    torch.export.save(export_program(SeededGenerator(build_generator(network, channels=1, num_classes=3))), file)
    return file.getvalue()


@pytest.fixture
def probe(content):
    return Probe.of(load_program_bytes(content, "m"), np.arange(40), np.arange(40) % 3)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return Settings(ganflow_home=tmp_path)


def chosen(settings, asked, content, probe, said=lambda sentence: None):
    return choose_precision(settings, asked, content, "m", probe, said)


@pytest.mark.parametrize("native", [True, False])
def test_bf16_is_taken_by_itself_where_it_is_native(settings, content, probe, native, monkeypatch):
    monkeypatch.setattr(drawing, "native_bf16", lambda device: native)
    assert chosen(settings, "auto", content, probe) == ("bf16" if native else "fp32")


def test_bf16_is_not_taken_by_itself_where_it_draws_other_images(settings, content, probe, monkeypatch):
    monkeypatch.setattr(drawing, "native_bf16", lambda device: True)
    images = probe.images.copy()
    images[:, ::2] ^= 2
    assert chosen(settings, "auto", content, Probe(probe.seeds, probe.labels, images)) == "fp32"


def test_who_asks_gets_it_and_hears_where_it_is_slow(settings, content, probe, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    said = []
    assert chosen(settings, "fp32", content, probe, said.append) == "fp32"
    assert said == []
    assert chosen(settings, "bf16", content, probe, said.append) == "bf16"
    if not torch.cuda.is_available():
        assert said[0].startswith("release.precision is bf16, which this CPU has no instructions for")


def test_one_process_draws_unless_more_are_asked_for_or_a_cluster_is_named(settings, content):
    def drawer(settings, workers):
        return find_drawer(settings, content, "m", workers, "fp32", lambda sentence: None)

    assert isinstance(drawer(settings, None), Here if torch.cuda.is_available() else InProcesses)
    assert isinstance(drawer(settings, 1), Here)
    assert isinstance(drawer(settings, 2), OnRay)
    assert isinstance(drawer(settings.model_copy(update={"ray_address": "ray://h:1"}), None), OnRay)
