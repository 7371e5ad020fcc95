"""Files that are there whole or not at all, so that a killed command goes on where it was."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Have `write` make a file under a name of its own, then rename it to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file."""
    write_whole(path, lambda partial: partial.write_text(json.dumps(value, indent=2) + "\n", "utf-8"))


def read_json(path: Path) -> Any:
    """Return what a JSON file holds; None where there is none."""
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """Return what a JSON file holds, made now if there is none."""
    if not path.exists():
        write_json(path, make())
    return read_json(path)


def kept_array(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the array in an .npy file, made now if there is none."""
    if not path.exists():
        array = make()
        write_whole(path, lambda partial: np.save(partial, array, allow_pickle=False))
    return np.load(path, allow_pickle=False)
