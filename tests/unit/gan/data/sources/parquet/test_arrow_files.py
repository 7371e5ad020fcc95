"""Arrow files, as `datasets` saves them, and broken ones."""

import io
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.data.records import SourceImage, read_all
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.errors import DatasetError

IMAGES = np.random.default_rng(2).integers(0, 256, (6, 4, 4, 3), np.uint8)


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


TABLE = pa.table({"image": [{"bytes": png(image), "path": None} for image in IMAGES], "label": [0, 1] * 3})


def written(make=pa.ipc.new_stream, table=TABLE):
    out = io.BytesIO()
    with make(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    return out.getvalue()


def opened(path, tmp_path):
    return open_source(SourceSpec(str(path)), tmp_path / "scratch")


def same(source, images=IMAGES):
    records = list(read_all(source))
    assert np.array_equal(np.stack([record.pixels for record in records]), images)
    assert [record.label for record in records] == [0, 1] * (len(images) // 2)
    return True


def test_what_datasets_saves_is_read_with_its_splits_and_class_names(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["zebra", "ant"])})
    rows = {"image": [Image.fromarray(image) for image in IMAGES], "label": [0, 1] * 3}
    both = {"train": IMAGES, "test": IMAGES ^ 1}
    made = datasets.DatasetDict({
        split: datasets.Dataset.from_dict({**rows, "image": [Image.fromarray(each) for each in images]}, features)
        for split, images in both.items()
    })  # fmt: skip
    made.save_to_disk(str(tmp_path / "set"))
    source = opened(tmp_path / "set", tmp_path)
    assert (source.class_names, source.has_split, len(source)) == (("zebra", "ant"), True, 12)
    records = list(read_all(source))
    assert [record.split for record in records] == ["train"] * 6 + ["test"] * 6
    assert np.array_equal(np.stack([record.pixels for record in records]), np.concatenate(list(both.values())))


@pytest.mark.parametrize("make", [pa.ipc.new_stream, pa.ipc.new_file])
def test_streams_and_files_of_arrow_alone_and_in_folders(tmp_path, make):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "data-00000-of-00001.arrow").write_bytes(written(make))
    (tmp_path / "set" / "state.json").write_text("{}")
    (tmp_path / "set" / "cache-12.arrow").write_bytes(b"\xff\xff\xff\xff")
    assert same(opened(tmp_path / "set", tmp_path))
    assert same(opened(tmp_path / "set" / "data-00000-of-00001.arrow", tmp_path))


def test_a_file_is_written_again_once(tmp_path):
    (tmp_path / "a.arrow").write_bytes(written())
    first = [part.identity() for part in opened(tmp_path / "a.arrow", tmp_path).parts()]
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "scratch").iterdir()}
    assert [part.identity() for part in opened(tmp_path / "a.arrow", tmp_path).parts()] == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "scratch").iterdir()} == made


def test_a_table_without_images_says_what_it_holds(tmp_path):
    (tmp_path / "a.arrow").write_bytes(written(table=pa.table({"text": ["x"], "image": ["a.png"]})))
    with pytest.raises(DatasetError, match="image is string, so paths"):
        opened(tmp_path / "a.arrow", tmp_path)


@pytest.mark.parametrize(
    "data", [written()[:300], b"\xff\xff\xff\xff" + bytes(50), b"\xff\xff\xff\xff\xff\xff\xff\x7f"]
)
def test_a_broken_file_is_refused_in_a_sentence(tmp_path, data):
    (tmp_path / "a.arrow").write_bytes(data)
    with pytest.raises(DatasetError, match=r"a\.arrow is a broken Arrow file \(.+\): fetch it again") as caught:
        opened(tmp_path / "a.arrow", tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert not list((tmp_path / "scratch").iterdir())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), places=st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_damaged_files_are_images_or_reasons(tmp_path, seed, places):
    data = bytearray(written())
    for place in places:
        at = place % len(data)
        data[at : at + 4] = random.Random(seed).choice([b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff"])
    (tmp_path / "a.arrow").write_bytes(data)
    try:
        records = list(read_all(opened(tmp_path / "a.arrow", tmp_path)))
    except DatasetError:
        return
    assert sum(isinstance(record, SourceImage) for record in records) <= len(IMAGES)
