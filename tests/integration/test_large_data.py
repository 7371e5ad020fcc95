"""A dataset that is larger than what its worker may use, by the kernel's own limit: it trains all the same."""

import json
import subprocess
import sys

import numpy as np
import pytest

MORE = 2**28
"""Bytes that the worker may take beyond what it has at its start."""

PROGRAM = """
import json, resource, sys
from pathlib import Path
import numpy as np, torch
from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import preset
from gan.training.context import SingleWorker
from gan.training.header import Header
from gan.training.loop import run_training

torch.set_num_threads(1)
config = apply_overrides(preset("debug"), ["train.total_kimg=0.5", "train.precision=fp32"])
images, more, told = np.load(sys.argv[1], mmap_mode="r"), int(sys.argv[2]), []
lines = Path("/proc/self/status").read_text().splitlines()
most = more + next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
context = SingleWorker(torch.device("cpu"))
context.report = lambda progress: told.append(progress.images)
header = Header(config.model_dump(mode="json"), "", "", 3, 0, ())
held = int(sys.argv[3]) if sys.argv[3:] else None
finished = run_training(config, images, np.zeros(len(images), np.int64), context, header, feed_memory=held)
print(json.dumps({"told": told[0], "cur_nimg": finished.cur_nimg}))
"""


@pytest.fixture
def images(tmp_path):
    """Four times as much as the worker may take; zeros, which the disk does not keep."""
    path = tmp_path / "images.npy"
    count = 4 * MORE // 768
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, 16, 16, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + count * 768)
    return path


def train(*arguments):
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_images_four_times_larger_than_the_memory_of_the_worker(images):
    done = train(images, MORE)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["told"].startswith("training images: 1.0 GiB, read from disk beside the step: more than the ")
    assert found["cur_nimg"] >= 500
    held = train(images, MORE, 2**40)  # told that there is room: the kernel says otherwise
    assert held.returncode != 0
    assert "Unable to allocate 1.00 GiB" in held.stderr
