"""One cell from its training to its record, and again."""

import json

import numpy as np
import pytest
import torch
from quality.running import Place, finished, run_cell

from gan.data.pixels.png import decode_png


@pytest.fixture
def place(cell, data, tmp_path):
    place = Place(tmp_path, None, torch.device("cpu"), None, lambda text: None)
    place._data["noise", "all"] = data
    return place


def test_without_a_judge_a_cell_is_trained_and_drawn(cell, place, tmp_path):
    assert run_cell(cell, place, 40) is None
    folder = tmp_path / cell.name
    assert np.load(folder / "images-40.npy").shape == (40, 16, 16, 1)
    assert json.loads((folder / "training.json").read_text())["images"] == 32
    assert finished(cell, place, 40) is None
    # no second training: what is trained and drawn needs no checkpoint
    before = (folder / "training.json").read_bytes()
    for path in (folder / "training").glob("checkpoint-*/*"):
        path.unlink()
    assert run_cell(cell, place, 40) is None
    assert (folder / "training.json").read_bytes() == before


def test_another_number_of_images_is_drawn_from_the_same_training(cell, place, tmp_path):
    run_cell(cell, place, 40)
    run_cell(cell, place, 60)
    folder = tmp_path / cell.name
    few, many = (np.load(folder / f"images-{count}.npy") for count in (40, 60))
    assert np.abs(many[:40].astype(int) - few).max() <= 1
    assert json.loads((folder / "training.json").read_text())["starts"] == 1


def test_a_finished_cell_is_known_by_its_images_and_its_pictures(cell, place, tmp_path):
    run_cell(cell, place, 40)
    folder = tmp_path / cell.name
    record = {"images": 40, "protocol": {"precision": "bf16"}}
    (folder / "result.json").write_text(json.dumps(record))
    assert finished(cell, place, 40) is None
    (folder / "samples.png").write_bytes(b"")
    assert finished(cell, place, 40) == record
    assert finished(cell, place, 60) is None


def test_pictures(cell, data, tmp_path):
    from quality.data import Labelled
    from quality.pictures import draw_pictures

    generated = Labelled(data.test.images[:40], data.test.labels[:40])
    pairs = [{"generated": index, "training": index + 1, "score": 0.1} for index in range(20)]
    draw_pictures(tmp_path, generated, data.train, {"conditional": True, "copies": {"pixels": {"pairs": pairs}}}, print)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copies.png", "samples.png"]
    # ten rows and columns of 16 pixels, three times enlarged, with gaps of two
    side, rows = 10 * 50 - 2, 4 * 50 - 2
    assert decode_png((tmp_path / "samples.png").read_bytes(), (side, side, 1)).any()
    shown = decode_png((tmp_path / "copies.png").read_bytes(), (rows, side, 1))
    np.testing.assert_array_equal(shown[:48:3, :48:3], generated.images[0])
    np.testing.assert_array_equal(shown[50:98:3, :48:3], data.train.images[1])
