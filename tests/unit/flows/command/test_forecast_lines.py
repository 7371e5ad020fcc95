"""What `ganflow train --dry-run` prints."""

import pytest

from flows.command.forecast_lines import duration, forecast_lines
from gan.configuration.presets import preset
from gan.training.header import WarmStartRecord
from tasks.train.forecast import Forecast


def forecast(name="small-data", **changes):
    fields = {
        "config": preset(name),
        "dataset_md5": "abc",
        "num_train": 500,
        "channels": 3,
        "num_classes": 10,
        "resumes": None,
        "warm_start": None,
        "workers": 2,
        "device": "CPU",
        "threads": 4,
        "first_nimg": 0,
        "total_nimg": 130_048,
        "cost": {"generator_parameters": 1_234_567, "discriminator_parameters": 98_765, "training_bytes": 2**31},
        "step_bytes": 2**30,
        "fitting_accumulate": None,
        "images": "training images: 1.0 MiB, held in memory: within the 6.0 GiB that this worker may hold",
        "dataset_bytes": 2**20,
        "free_bytes": 8 * 2**30,
        "choice": "bf16",
        "rates": {"fp32": 212.4, "bf16": 329.6},
        "images_per_second": 659.2,
        "seconds": 197.3,
    }
    return Forecast(**fields | changes)


def test_every_figure_is_there():
    lines = forecast_lines(forecast())
    assert lines[0] == "dataset   abc: 500 images of 32x32x3, 10 classes"
    assert lines[1].startswith(
        "preset    small-data: dcgan, widths 256, 128, 64; relativistic loss, penalties R1 0.2, R2 0.2;"
    )
    assert lines[1].endswith("augmented by colour, translation, cutout")
    assert "batches of 64, seed 0, on 2 x CPU (4 threads each)" in lines[2]
    assert lines[3] == "networks  G 1.2 million, D 98 765 parameters"
    assert lines[4] == "images    1.0 MiB, held in memory: within the 6.0 GiB that this worker may hold"
    assert "about 1.0 GiB on each worker" in lines[5], "steps and the images"
    assert "1.0 MiB of it for the images; 8.0 GiB are free" in lines[5]
    assert lines[6] == "time      about 3 min 17 s in bf16 (img/s of a worker: fp32 212, bf16 330)"
    assert lines[7:] == ["          nothing was started"]


def test_what_training_begins_with_is_said():
    warm = WarmStartRecord(version=4, run_id="f00d", dataset_md5="d")
    assert "begins    with version 4, run f00d" in forecast_lines(forecast(warm_start=warm))
    resumed = forecast_lines(forecast(warm_start=warm, resumes="cafe", first_nimg=64_000))
    assert resumed[7:] == ["resumes   run cafe from image 64000", "          nothing was started"]


def test_what_does_not_fit_was_not_measured():
    nothing = {"choice": None, "rates": {}, "images_per_second": None, "seconds": None}
    why = "time      not measured: a step does not fit into the memory that is free; "
    assert forecast_lines(forecast(**nothing))[6] == why + "lower train.batch_size or add workers"
    found = forecast_lines(forecast(**nothing, fitting_accumulate=8))
    assert found[6] == why + "with train.accumulate=8 it would, in pieces; or add workers"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59.6, "1 min 0 s"), (750, "12 min 30 s"), (3600, "1 h 0 min"), (100_000, "1 d 3 h")],
)
def test_durations_have_two_units(seconds, text):
    assert duration(seconds) == text
