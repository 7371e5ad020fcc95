"""What a training takes, as this machine's own counters say: RAPL of its processors, NVML of its GPUs.

The counters are the machine's, so whatever else runs on it is in them. Those of RAPL run over within an hour, and are
looked at more often than that.
"""

import contextlib
import ctypes
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

# A metric of a training run, and the tag that says whose counters it is of.
ENERGY, ENERGY_OF = "energy_wh", "energy_of"
POWERCAP = Path("/sys/class/powercap")
SECONDS = 30.0
_JOULES = 3600.0  # of a watt hour
Counter = Callable[[], tuple[float, float]]
"""Joules so far, and at how many the counter begins again at 0; infinite: it does not."""


class EnergyMeter:
    """Adds up what the counters say while a block runs.

    Args:
        counters: by name, as in `RAPL`; None: those of this machine that can be read.

    Attributes:
        names: of the counters; empty where there is none to read.
        watt_hours: so far.
    """

    def __init__(self, counters: list[tuple[str, Counter]] | None = None) -> None:
        found = [*rapl_counters(), *nvml_counters()] if counters is None else counters
        self.names = tuple(dict.fromkeys(name for name, _ in found))
        self.watt_hours = 0.0
        self._counters = [counter for _, counter in found]
        self._last = [counter()[0] for counter in self._counters]
        self._lock = threading.Lock()  # whoever asks looks, too
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="energy", daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        if self._counters:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Look a last time."""
        self._ended.set()
        if self._counters:
            self._thread.join()
            self.look()

    def look(self) -> None:
        """Add what was taken since the last look; a counter that cannot be read now is read the next time."""
        for index, counter in enumerate(self._counters):
            with contextlib.suppress(OSError, ValueError), self._lock:
                now, whole = counter()
                taken = now - self._last[index]
                self.watt_hours += (taken if taken >= 0 else taken + whole) / _JOULES
                self._last[index] = now

    def _run(self) -> None:
        while not self._ended.wait(SECONDS):
            self.look()


def rapl_counters(powercap: Path = POWERCAP) -> Iterator[tuple[str, Counter]]:
    """The processors whose counter may be read; since 2020 that is mostly for root alone.

    Args:
        powercap: the kernel's folder of them.
    """
    for zone in sorted(powercap.glob("intel-rapl:*")):
        if zone.name.count(":") != 1:  # cores or memory of a processor, which are in its own counter
            continue

        def counter(zone: Path = zone) -> tuple[float, float]:
            whole = int((zone / "max_energy_range_uj").read_text()) / 1e6
            return int((zone / "energy_uj").read_text()) / 1e6, whole

        with contextlib.suppress(OSError, ValueError):
            counter()
            yield "RAPL", counter


def nvml_counters() -> list[tuple[str, Counter]]:
    """The GPUs that count; none where NVIDIA's library is not there."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return []
    count = ctypes.c_uint()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return []
    found: list[tuple[str, Counter]] = []
    for index in range(count.value):
        device = ctypes.c_void_p()
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)):
            continue

        def counter(device: ctypes.c_void_p = device) -> tuple[float, float]:
            millijoules = ctypes.c_ulonglong()
            if nvml.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(millijoules)):
                raise OSError("NVML does not count")
            return millijoules.value / 1e3, float("inf")

        with contextlib.suppress(OSError):
            counter()
            found.append(("NVML", counter))
    return found
