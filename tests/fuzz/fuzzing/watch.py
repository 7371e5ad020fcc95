"""What a process must not gather while it reads: memory, open files, threads."""

import ctypes
import gc
import os
import resource
import threading
from dataclasses import dataclass

MORE_ADDRESSES = 4 * 2**30
"""Bytes that may be mapped beyond those at the start: what a size in a file asks for beyond that is refused."""
MOST_GROWTH = 64 * 2**20
"""Bytes of resident memory that may come after the first minute; see `test_fuzzing.py`."""
MOST_FILES = 8
MOST_THREADS = 8


@dataclass(frozen=True)
class Held:
    """What this process holds now."""

    resident: int
    files: int
    threads: int

    @classmethod
    def now(cls):
        """Look, after what is free was given back."""
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * resource.getpagesize()
        return cls(resident, len(os.listdir("/proc/self/fd")), threading.active_count())

    def require_no_more_than(self, before):
        """Refuse growth."""
        grown = self.resident - before.resident
        assert grown <= MOST_GROWTH, f"resident memory grew by {grown / 2**20:.0f} MiB"
        assert self.files <= before.files + MOST_FILES, f"{self.files - before.files} files were left open"
        assert self.threads <= before.threads + MOST_THREADS, f"{self.threads - before.threads} threads were left"


def limit_memory():
    """Refuse to map much more than is mapped now."""
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MORE_ADDRESSES, mapped + MORE_ADDRESSES))
