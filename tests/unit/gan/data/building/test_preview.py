"""What a look at a source tells before it is read."""

import io
import os

import numpy as np
from PIL import Image

from gan.data.building.file_counts import FileCounts
from gan.data.building.preview import preview
from gan.data.records import Reject
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
