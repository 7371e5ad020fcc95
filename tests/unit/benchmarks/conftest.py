"""Benchmarks are programs, not a package: a test imports what lies beside one, and one by its name."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks"
if str(FOLDER) not in sys.path:
    sys.path.append(str(FOLDER))


@pytest.fixture(scope="session")
def benchmark_module():
    def load(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look themselves up there
        spec.loader.exec_module(module)
        return module

    return load
