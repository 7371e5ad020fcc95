"""Which precision a device has: asked of it, held to what the environment allows, timed where it is emulated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gan.device import precision
from gan.device.precision import emulation_warning, native_bf16, slowdown_of_bf16

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
LINUX = Path("/proc/cpuinfo")


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch):
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def able(monkeypatch):
    """A processor with AVX512-BF16."""
    monkeypatch.setattr(precision.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)


@pytest.mark.skipif(not LINUX.exists(), reason="the kernel's word on the processor is Linux's")
def test_this_processor_is_known_for_what_its_kernel_says():
    flags = set(LINUX.read_text().split())
    x86 = "avx512_bf16" in flags or "amx_bf16" in flags
    limited = "ATEN_CPU_CAPABILITY" in os.environ
    assert limited or native_bf16(CPU) == (x86 or "bf16" in flags)


@pytest.mark.parametrize(
    ("asked", "native"),
    [
        ("", True),
        ("ALL", True),
        ("AVX512_CORE_BF16", True),
        ("avx512_core_amx", True),
        ("AVX512_CORE", False),
        ("avx512_core_vnni", False),
        ("AVX2", False),
        ("SSE41", False),
    ],
)
@pytest.mark.parametrize("variable", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_what_onednn_is_held_to_counts(able, monkeypatch, variable, asked, native):
    monkeypatch.setenv(variable, asked)
    assert native_bf16(CPU) == native


@pytest.mark.parametrize(("capability", "native"), [("AVX512", True), ("AVX2", False), ("DEFAULT", False)])
def test_what_pytorch_is_held_to_counts(able, monkeypatch, capability, native):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert native_bf16(CPU) == native


@pytest.mark.parametrize(("bf16", "amx"), [(True, False), (False, True), (True, True), (False, False)])
def test_either_kind_of_instructions_will_do(able, monkeypatch, bf16, amx):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert native_bf16(CPU) == (bf16 or amx)


def test_pytorch_really_reads_the_limit_that_is_tested_for():
    """`ATEN_CPU_CAPABILITY` is read when PyTorch is loaded, so by a process of its own."""
    program = (
        "import torch; from gan.device.precision import native_bf16; "
        "print(torch.backends.cpu.get_cpu_capability(), native_bf16(torch.device('cpu')))"
    )
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split()[-1] == "False" or "aarch64" in os.uname().machine


@pytest.mark.parametrize(("capability", "native"), [((7, 5), False), ((8, 0), True), ((8, 9), True), ((9, 0), True)])
def test_a_gpu_is_asked_for_its_capability(monkeypatch, capability, native):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert native_bf16(CUDA) == native


def test_other_devices_are_not_trusted_with_it():
    assert not native_bf16(torch.device("meta"))


def test_the_slowdown_is_measured_once(monkeypatch):
    slowdown_of_bf16.cache_clear()
    ticks = iter([0.0, 1.0, 1.0, 6.0] * 2 + [0.0, 0.5, 0.5, 4.5])  # fp32 takes 1, 1, 0.5 and bf16 5, 5, 4
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(precision, "SIDE", 2)
    assert slowdown_of_bf16(CPU) == 8.0
    assert slowdown_of_bf16(CPU) == 8.0
    slowdown_of_bf16.cache_clear()


def test_who_asks_for_what_is_emulated_hears_how_slow_it_is(monkeypatch):
    monkeypatch.setattr(precision, "slowdown_of_bf16", lambda device: 47.62)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert emulation_warning("train.precision", CPU) == (
        "train.precision is bf16, which this CPU has no instructions for: a matrix product takes 48 times as long as "
        "in fp32; set train.precision to auto for what is fast here"
    )
    monkeypatch.setattr(precision, "native_bf16", lambda device: True)
    assert emulation_warning("train.precision", CPU) is None
