"""Attacks on what reads fingerprints of an earlier release, which come from a storage."""

import tempfile
from pathlib import Path

import numpy as np

from fuzzing.target import target
from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.release.duplicates import find_duplicates

NAME = "fingerprints.npz"
PRINTS = Fingerprints.of(np.random.default_rng(0).integers(0, 256, (12, 16, 16, 1), dtype=np.uint8))


def written():
    """A good file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, NAME)
        PRINTS.write(path)
        return {NAME: path.read_bytes()}


@target(written)
def fingerprints_of_a_release(name, data, folder):
    (folder / name).write_bytes(data)
    found = Fingerprints.read(folder / name)
    find_duplicates(PRINTS, [found], threshold=3.0)
