"""Building a dataset folder: split, duplicates, rejects, channels, order, bytes."""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from gan.config import DataConfig
from gan.data.dataset import build_dataset, read_dataset_info
from gan.data.shards import read_column, read_split
from gan.data.sources import Reject, SourceImage
from gan.data.split import is_held_out, source_digest
from gan.errors import DatasetError

CONFIG = DataConfig(resolution=8, holdout_fraction=0.3)


@dataclass
class ListSource:
    records: list
    class_names: tuple[str, ...] = ("a", "b")
    name: str = "list"
    kind: str = field(default="folder")

    def __len__(self):
        return len(self.records)

    def __iter__(self):
        return iter(self.records)


def grey(index, label=None):
    pixels = np.random.default_rng(index).integers(0, 256, (10, 9, 1), dtype=np.uint8)
    return SourceImage(f"{index:03d}.png", index % 2 if label is None else label, pixels)


def colour(index):
    pixels = np.random.default_rng(index).integers(0, 256, (10, 9, 3), dtype=np.uint8)
    return SourceImage(f"c{index:03d}.png", 0, pixels)


def contents(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_folder_says_what_is_in_it(tmp_path):
    seen = []
    source = ListSource([grey(index) for index in range(40)])
    info = build_dataset(source, CONFIG, tmp_path / "out", on_progress=lambda *at: seen.append(at))
    assert seen[-1] == (40, 40)
    assert info == read_dataset_info(tmp_path / "out")
    assert info.num_train + info.num_test == 40
    assert sum(info.counts["test"].values()) == info.num_test
    assert (info.channels, info.resolution, info.num_classes) == (1, 8, 2)
    assert str(tmp_path) not in (tmp_path / "out" / "dataset.json").read_text()
    assert sum(len(labels) for _, labels in read_split(tmp_path / "out", "train")) == info.num_train


def test_equal_sources_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        build_dataset(ListSource([grey(index) for index in range(30)]), CONFIG, tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_holdout_is_decided_by_the_hash_of_the_source_pixels_alone(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    share = int(hashlib.sha256(b"(2, 2, 3)" + pixels.tobytes()).hexdigest()[:16], 16) / 2**64
    assert is_held_out(source_digest(pixels), share * 1.001)
    assert not is_held_out(source_digest(pixels), share)
    held_out = []
    for count in (30, 60):
        folder = tmp_path / str(count)
        build_dataset(ListSource([grey(index) for index in range(count)]), CONFIG, folder)
        held_out.append(set(read_column(folder, "test", "sha256")))
    assert held_out[0] < held_out[1]


def test_new_images_go_behind_those_that_are_there(tmp_path):
    old = [grey(index) for index in range(20, 60)]
    new = [grey(index) for index in range(20)]
    build_dataset(ListSource(old), CONFIG, tmp_path / "old")
    build_dataset(ListSource([*new, *old]), CONFIG, tmp_path / "new", previous=tmp_path / "old")
    build_dataset(ListSource([*new, *old]), CONFIG, tmp_path / "again", previous=tmp_path / "new")
    for split in ("train", "test"):
        before = read_column(tmp_path / "old", split, "sha256")
        assert read_column(tmp_path / "new", split, "sha256")[: len(before)] == before
    assert contents(tmp_path / "new") == contents(tmp_path / "again")
    build_dataset(ListSource(old), CONFIG, tmp_path / "less", previous=tmp_path / "new")
    assert contents(tmp_path / "less") == contents(tmp_path / "old")


def test_order_is_stable_when_different_images_are_equal_once_prepared(tmp_path):
    # Box filter: the same 8x8 image blown up by 2 and by 3 shrinks to itself.
    config = CONFIG.model_copy(update={"filter": "box"})
    small = [np.random.default_rng(index).integers(0, 256, (8, 8, 1), dtype=np.uint8) for index in range(20)]
    records = [
        SourceImage(f"{factor}-{index}", 0, pixels.repeat(factor, axis=0).repeat(factor, axis=1))
        for factor in (1, 2, 3)
        for index, pixels in enumerate(small)
    ]
    first = build_dataset(ListSource(records), config, tmp_path / "one")
    build_dataset(ListSource(records), config, tmp_path / "two", previous=tmp_path / "one")
    assert first.num_rejects == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_exact_duplicates_are_dropped_and_named(tmp_path):
    again = SourceImage("again.png", 0, grey(3).pixels)
    info = build_dataset(ListSource([*map(grey, range(30)), again]), CONFIG, tmp_path / "out")
    assert info.num_train + info.num_test == 30
    assert info.rejects == {"duplicate": 1}
    assert info.rejected == ("again.png: duplicate (of 003.png)",)


def test_few_rejects_are_listed_and_many_stop_everything(tmp_path):
    bad = [Reject(f"bad{index}.png", "empty file") for index in range(3)]
    info = build_dataset(ListSource([*map(grey, range(60)), *bad]), CONFIG, tmp_path / "out")
    assert info.rejects == {"empty file": 3}
    with pytest.raises(DatasetError, match=r"3 of 43 files .* more than 5%; the first is bad0.png: empty file"):
        build_dataset(ListSource([*map(grey, range(40)), *bad]), CONFIG, tmp_path / "other")


def test_one_colour_image_makes_all_of_them_rgb_unless_told_otherwise(tmp_path):
    records = [*map(grey, range(40)), colour(1)]
    assert build_dataset(ListSource(records), CONFIG, tmp_path / "auto").channels == 3
    one = CONFIG.model_copy(update={"channels": 1})
    assert build_dataset(ListSource(records), one, tmp_path / "grey").channels == 1
    three = CONFIG.model_copy(update={"channels": 3})
    assert build_dataset(ListSource(records[:-1]), three, tmp_path / "rgb").channels == 3
    for images, _ in read_split(tmp_path / "rgb", "train"):
        assert images.shape[1:] == (8, 8, 3)
        assert np.array_equal(images[..., 0], images[..., 2])


def test_images_without_labels(tmp_path):
    source = ListSource([grey(index, label=-1) for index in range(30)], class_names=())
    info = build_dataset(source, CONFIG, tmp_path / "out")
    assert info.num_classes == 0
    assert info.counts["train"] == {"unlabelled": info.num_train}


def test_too_few_images_are_explained(tmp_path):
    with pytest.raises(DatasetError, match="each needs at least 2"):
        build_dataset(ListSource([grey(0), grey(1)]), CONFIG, tmp_path / "out")


def test_a_missing_or_malformed_info_is_explained(tmp_path):
    with pytest.raises(DatasetError, match=r"no dataset at .* run `ganflow ingest digits`"):
        read_dataset_info(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"name": "x"}))
    with pytest.raises(DatasetError, match="malformed"):
        read_dataset_info(tmp_path)
    (tmp_path / "dataset.json").write_bytes(b"\xff{")
    with pytest.raises(DatasetError, match="malformed"):
        read_dataset_info(tmp_path)
