"""What a look at a source tells before it is read."""

import io
import os
import tarfile
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.file_counts import FileCounts
from gan.data.building.preview import fitting_resolution, preview
from gan.data.records import Reject, read_all
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec


def written(root, sides):
    """Write noise of some heights and widths by their path."""
    for path, (height, width) in sides.items():
        out = io.BytesIO()
        Image.fromarray(np.random.default_rng(height).integers(0, 256, (height, width), dtype=np.uint8)).save(
            out, "PNG"
        )
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(out.getvalue())


def test_a_folder_is_counted_by_split_and_class_and_a_few_images_are_measured(tmp_path):
    root = tmp_path / "set"
    written(root, {f"train/cat/{side}.png": (side, 99) for side in range(30, 60)})
    written(
        root, {f"{split}/dog/{split}{side}.png": (200, side) for split in ("train", "test") for side in range(40, 45)}
    )
    (root / "train/cat/30.png").write_bytes(b"no image")
    (root / "train/dog/x.npy").write_bytes(b"x")
    (root / "README.md").write_text("x")
    found = preview(open_source(SourceSpec(str(root)), tmp_path / "scratch"))
    assert (found.name, found.kind, found.records, found.classes) == ("set", "folder", 41, 2)
    assert found.counts == {"train": {"cat": 30, "dog": 5}, "test": {"dog": 5}}
    assert list(found.counts) == ["train", "test"]
    assert found.rejects == {"no known sort of image": 1}
    assert found.files == FileCounts(42, 40, {"documents": 1}, 1)
    assert found.values == {"8-bit images": (0, 255)}
    assert (found.sampled, found.unreadable) == (40, {"not an image": 1})
    assert (found.sides, found.resolution) == ((31, 43, 59), 32)
    few = preview(open_source(SourceSpec(str(root)), tmp_path / "scratch"), sampled=4)
    assert few.sampled == 4
    assert few.sides[0] < few.sides[2]  # from all over, not the first ones
    assert not (tmp_path / "scratch").exists()


def test_no_file_but_those_of_the_sample_is_looked_at(tmp_path, monkeypatch):
    written(tmp_path, {f"{name}/{side}.png": (side, 30) for name in ("cat", "dog") for side in range(20, 60)})
    looked_at = []
    looks = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: looked_at.append(path) or looks(path))
    found = preview(open_source(SourceSpec(str(tmp_path)), tmp_path / "scratch"), sampled=8)
    assert (found.counts, found.sampled) == ({"all": {"cat": 40, "dog": 40}}, 8)
    assert sum(path.endswith(".png") for path in looked_at) == 8


def png(seed):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def idx(root):
    for split, labels in (("train", [3, 1, 3]), ("t10k", [1, 0])):
        pixels = bytes(range(len(labels) * 16))
        head = np.array([0x803, len(labels), 4, 4], ">u4").tobytes()
        (root / f"{split}-images-idx3-ubyte").write_bytes(head + pixels)
        (root / f"{split}-labels-idx1-ubyte").write_bytes(
            np.array([0x801, len(labels)], ">u4").tobytes() + bytes(labels)
        )


def cifar(root):
    for name, labels in (("data_batch_1.bin", [0, 9, 200]), ("test_batch.bin", [9])):
        (root / name).write_bytes(b"".join(bytes([label]) + bytes(3072) for label in labels))


def numpy(root):
    images = np.arange(5 * 36, dtype=np.uint8).reshape(5, 6, 6)
    np.savez(root / "set.npz", x_train=images, y_train=[2, 2, -1, 0, -7], x_test=images[:2], y_test=[0, 0])


def parquet(root):
    for split, labels in (("train", ["cat", "dog", None]), ("test", ["dog"])):
        rows = {"image": [{"bytes": png(seed), "path": ""} for seed in range(len(labels))], "label": labels}
        pq.write_table(pa.table(rows), root / f"{split}.parquet")


def folders_of_parquet(root):
    for label in ("cat", "dog"):
        (root / f"label={label}").mkdir()
        pq.write_table(pa.table({"image": [png(1), png(2)]}), root / f"label={label}" / "part-0.parquet")


def parquet_without_labels(root):
    pq.write_table(pa.table({"image": [png(1), png(2)]}), root / "a.parquet")


def webdataset(root):
    for split in ("train", "test"):
        with tarfile.open(root / f"{split}-000.tar", "w") as tar:
            for key, label in (("a", "1"), ("b", "0"), ("c", None)):
                for ending, data in (("png", png(3)), ("cls", label and label.encode())):
                    if data:
                        info = tarfile.TarInfo(f"{key}.{ending}")
                        info.size = len(data)
                        tar.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("make", [idx, cifar, numpy, parquet, folders_of_parquet, parquet_without_labels, webdataset])
def test_what_is_counted_without_reading_is_what_reading_finds(tmp_path, make):
    root = tmp_path / "set"
    root.mkdir()
    make(root)
    source = open_source(SourceSpec(str(root)), tmp_path / "scratch")
    names = (*source.class_names, "unlabelled")
    counts, rejects = {}, Counter()
    for record in read_all(source):
        if isinstance(record, Reject):
            rejects[record.reason] += 1
        else:
            by_class = counts.setdefault(record.split or "all", Counter())
            by_class[names[record.label]] += 1
    found = preview(source)
    assert found.counts == counts
    assert counts
    assert found.rejects == rejects


def test_the_digits_are_counted(tmp_path):
    found = preview(open_source(SourceSpec("digits"), tmp_path))
    assert found.counts["all"]["0"] == 178
    assert (sum(found.counts["all"].values()), found.resolution) == (1797, 8)


@pytest.mark.parametrize(
    ("side", "resolution"), [(1, 8), (8, 8), (13, 8), (28, 28), (31, 28), (32, 32), (89, 64), (112, 112), (5000, 256)]
)
def test_the_resolution_that_fits_is_one_that_can_be(side, resolution):
    assert fitting_resolution(side) == resolution
    DataConfig(resolution=resolution)


def test_of_records_that_only_reading_would_tell_apart_there_are_sizes(list_source, noise):
    source = list_source([*map(noise, range(20)), Reject("x", "empty file")], notes=("a note",))
    found = preview(source)
    assert (found.records, found.counts, found.files, found.notes) == (21, {}, None, ("a note",))
    assert (found.sampled, found.unreadable, found.sides, found.resolution) == (21, {"empty file": 1}, (9, 9, 9), 8)


def test_a_source_of_which_nothing_can_be_read_has_no_sizes(list_source):
    found = preview(list_source([Reject("x", "empty file")]))
    assert (found.sides, found.resolution, found.unreadable) == (None, None, {"empty file": 1})


def test_the_range_of_values_is_told_by_what_they_are_stored_as(tmp_path):
    for name, values in (("a", [[3, 900]]), ("b", [[7, 4095]])):
        Image.fromarray(np.array(values, np.uint16)).save(tmp_path / f"{name}.png")
    Image.fromarray(np.array([[-0.5, 0.25]], np.float32)).save(tmp_path / "c.tiff")
    found = preview(open_source(SourceSpec(str(tmp_path)), tmp_path / "scratch"))
    assert found.values == {"16-bit images": (3, 4095), "32-bit floating point images": (-0.5, 0.25)}
