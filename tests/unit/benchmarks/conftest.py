"""A benchmark finds its own folder as Python does for a program: by the folder that it lies in."""

import sys
from pathlib import Path

FOLDER = str(Path(__file__).parents[3] / "benchmarks")
if FOLDER not in sys.path:
    sys.path.append(FOLDER)
