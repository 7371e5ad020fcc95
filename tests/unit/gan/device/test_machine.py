"""What a checkpoint says of the machine that made it."""

import getpass
import json
import socket

import torch

from gan.device.machine import device_name, machine_facts, processor_name

CPU = torch.device("cpu")


def test_the_facts_are_plain_and_name_no_host(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    facts = machine_facts(CPU, threads=2, workers=3)
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["torch"], facts["threads"], facts["workers"]) == (torch.__version__, 2, 3)
    assert facts["device"] == f"{processor_name()}, {torch.backends.cpu.get_cpu_capability()}"
    assert socket.gethostname() not in json.dumps(facts)
    assert f'"{getpass.getuser()}"' not in json.dumps(facts)


def test_what_holds_the_libraries_to_less_is_said(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    whole = device_name(CPU)
    assert "oneDNN" not in whole
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert device_name(CPU) == f"{whole}, oneDNN held to AVX2"


def test_a_gpu_is_called_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert device_name(torch.device("cuda", 1)) == "GPU 1"
    assert device_name(torch.device("meta")) == "meta"
