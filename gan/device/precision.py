"""Which precision a device computes in by itself, and how slow the other one is where it is only emulated."""

import os
import platform
import time
from functools import lru_cache

import torch

EMULATED = {"DEFAULT", "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
"""oneDNN's instruction sets without products in bf16, by the names that `ONEDNN_MAX_CPU_ISA` knows."""
SIDE = 512
"""Of the matrices whose product is timed: 6 ms in fp32 on an old core, some 0.3 s where bf16 is emulated there."""


def native_bf16(device: torch.device) -> bool:
    """Whether a device multiplies in bf16 by instructions of its own.

    A GPU does from compute capability 8.0 on; an x86 processor with AVX512-BF16 or AMX, unless `ONEDNN_MAX_CPU_ISA` or
    `ATEN_CPU_CAPABILITY` holds PyTorch to less; an Arm processor with the bf16 extension. Elsewhere PyTorch emulates
    it, 3 to 90 times slower than fp32.

    Args:
        device: where networks run.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    if platform.machine().lower() in {"aarch64", "arm64"}:
        # there it asks for the very instructions; on x86 it says yes to emulation as well
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    asked = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "ALL"
    if asked.upper() in EMULATED or not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return False
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@lru_cache
def slowdown_of_bf16(device: torch.device, repeats: int = 3) -> float:
    """How many times as long a matrix product takes in bf16 as in fp32; below 1 where bf16 is the faster.

    Args:
        device: where it is measured.
        repeats: products of each kind, in turn; the fastest count.
    """
    seconds: dict[torch.dtype, float] = {}
    for _ in range(repeats):
        for dtype in (torch.float32, torch.bfloat16):
            a = torch.ones(SIDE, SIDE, device=device, dtype=dtype)
            _wait(device)
            start = time.perf_counter()
            torch.mm(a, a)
            _wait(device)
            taken = time.perf_counter() - start
            seconds[dtype] = min(taken, seconds.get(dtype, taken))
    return seconds[torch.bfloat16] / seconds[torch.float32]


def choose_kernels(device: torch.device, *, deterministic: bool) -> None:
    """Say in this process which kernels a GPU takes: the fastest that cuDNN finds, or those that repeat their bits.

    Args:
        device: of the training; on a CPU nothing is done.
        deterministic: whether the same run gives the same bits; what has no such kernel is then an error of PyTorch's.

    Reference: https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    if device.type != "cuda":
        return
    torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)


def emulation_warning(key: str, device: torch.device) -> str | None:
    """A sentence for who asked for bf16 on a device that emulates it; None where it has it.

    Args:
        key: of the configuration, as `evaluation.precision`.
        device: where networks run.
    """
    if native_bf16(device):
        return None
    times = slowdown_of_bf16(device)
    return (
        f"{key} is bf16, which this {device.type.upper()} has no instructions for: a matrix product takes "
        f"{times:.{0 if times >= 10 else 1}f} times as long as in fp32; set {key} to auto for what is fast here"
    )


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
