"""Pictures of each class before an ingest."""

import numpy as np
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.contact_sheet import pictures
from gan.data.records import Deep, Reject, SourceImage
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec

CONFIG = DataConfig(resolution=8)


def folder(root, counts):
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for index in range(count):
            pixels = np.full((12, 8, 3), 20 * label, np.uint8)
            pixels[:, :, 0] = index
            Image.fromarray(pixels).save(root / name / f"{name}{index:02}.png")
    return open_source(SourceSpec(str(root)), root / "scratch")


def test_each_class_of_a_folder_has_some_from_all_over(tmp_path):
    source = folder(tmp_path / "set", {"cat": 30, "dog": 2, "elk": 4})
    (tmp_path / "set" / "elk" / "elk00.png").write_bytes(b"no image")
    found = pictures(source, CONFIG, 8, classes=9, each=3)
    assert {name: images.shape for name, images in found.items()} == {
        "cat": (3, 8, 8, 3), "dog": (2, 8, 8, 3), "elk": (2, 8, 8, 3),
    }  # fmt: skip
    assert found["cat"][:, 0, 0].tolist() == [[0, 0, 0], [10, 0, 0], [20, 0, 0]]
    assert list(pictures(source, CONFIG, 8, classes=2, each=3)) == ["cat", "dog"]


def test_records_are_met_where_they_lie_and_grey_ones_become_rgb_beside_colours(list_source, noise):
    grey = SourceImage("g", 1, np.full((9, 9, 1), 7, np.uint8))
    source = list_source(
        [noise(0, channels=3), grey, noise(2), grey, Reject("x", "empty file")], class_names=("a", "b"), part=1
    )
    found = pictures(source, CONFIG, 8, classes=5, each=2)
    assert found["b"].tolist() == np.full((2, 8, 8, 3), 7).tolist()


def test_without_classes_all_are_together(list_source, noise):
    source = list_source([noise(seed, label=-1) for seed in range(4)], class_names=())
    assert pictures(source, CONFIG, 8, classes=5, each=3)["unlabelled"].shape == (3, 8, 8, 1)


@pytest.mark.parametrize(("window", "shown"), [("auto", [0, 64, 255]), ("full", [0, 4, 16]), ("0:1023", [0, 255, 255])])
def test_values_of_more_than_8_bits_are_shown_by_one_window(list_source, window, shown):
    images = [SourceImage(str(value), -1, Deep(np.full((8, 8, 1), value, np.uint16))) for value in (0, 1023, 4095)]
    config = CONFIG.model_copy(update={"window": window})
    found = pictures(list_source(images), config, 8, classes=5, each=3)
    assert found["unlabelled"][:, 0, 0, 0].tolist() == shown
