"""What a checkpoint says of the machine that made it."""

import getpass
import json
import socket

import torch

from gan.device.machine import device_name, machine_facts, processor_name

CPU = torch.device("cpu")


def test_the_facts_are_plain_and_name_no_host():
    facts = machine_facts(CPU, threads=2, workers=3)
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["torch"], facts["threads"], facts["workers"]) == (torch.__version__, 2, 3)
    assert facts["device"] == f"{processor_name()}, {torch.backends.cpu.get_cpu_capability()}"
    assert socket.gethostname() not in json.dumps(facts)
    assert f'"{getpass.getuser()}"' not in json.dumps(facts)


def test_a_gpu_is_called_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert device_name(torch.device("cuda", 1)) == "GPU 1"
    assert device_name(torch.device("meta")) == "meta"
