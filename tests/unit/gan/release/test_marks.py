"""Marks of images: read by exiftool and by us, outside the pixels, and no harm from damaged files."""

import contextlib
import io
import json
import shutil
import struct
import subprocess

import imagecodecs
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.data.pixels.png import decode_png, encode_pngs
from gan.data.store.shards import dataset_schema, row_group, write_shard
from gan.release.marks import Mark, json_fields, parquet_metadata, png_chunks, read_mark
from gan.release.xmp import TRAINED_ALGORITHMIC_MEDIA

MARK = Mark("gan-generator", 3, "0123456789abcdef" * 2, "v3-001")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3), dtype=np.uint8)
GREY = IMAGES[..., :1]


@pytest.mark.parametrize("images", [IMAGES, GREY], ids=["rgb", "grey"])
def test_the_mark_is_read_and_the_pixels_are_the_same_in_every_decoder(images):
    for marked, plain, pixels in zip(encode_pngs(images, png_chunks(MARK)), encode_pngs(images), images, strict=True):
        assert read_mark(marked) == MARK.source
        assert read_mark(plain) is None
        assert marked[:33] + marked[33 + len(png_chunks(MARK)) :] == plain
        assert len(marked) - len(plain) < 400
        assert np.array_equal(decode_png(marked, pixels.shape), pixels)
        assert np.array_equal(imagecodecs.png_decode(marked).reshape(pixels.shape), pixels)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(marked))).reshape(pixels.shape), pixels)


def test_pillow_finds_the_packet():
    (png, *_) = encode_pngs(IMAGES, png_chunks(MARK))
    assert TRAINED_ALGORITHMIC_MEDIA in Image.open(io.BytesIO(png)).info["XML:com.adobe.xmp"]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed: libimage-exiftool-perl")
def test_exiftool_reads_the_mark(tmp_path):
    (png, *_) = encode_pngs(IMAGES, png_chunks(MARK))
    (tmp_path / "a.png").write_bytes(png)
    told = subprocess.run(
        ["exiftool", "-json", "-G1", "-validate", "-warning", "-a", str(tmp_path / "a.png")],
        capture_output=True,
        check=True,
    )
    (found,) = json.loads(told.stdout)
    assert found["ExifTool:Validate"] == "OK"
    told = subprocess.run(["exiftool", "-json", "-G1", str(tmp_path / "a.png")], capture_output=True, check=True)
    (found,) = json.loads(told.stdout)
    assert found["XMP-iptcExt:DigitalSourceType"] == TRAINED_ALGORITHMIC_MEDIA
    assert found["XMP-xmp:CreatorTool"] == "ganflow gan-generator/3"


def test_the_mark_of_a_shard_stands_beside_the_features_of_datasets(tmp_path):
    schema = dataset_schema((), ["seed"])
    schema = schema.with_metadata({**schema.metadata, **parquet_metadata(MARK)})
    pngs = encode_pngs(IMAGES, png_chunks(MARK))
    table = row_group(pngs, [b"d" * 32] * 3, {"label": [-1] * 3, "seed": [1, 2, 3]}, schema)
    write_shard(tmp_path / "train-00000-of-00001.parquet", [table], schema)
    metadata = pq.read_schema(tmp_path / "train-00000-of-00001.parquet").metadata
    assert {each.decode() for each in metadata} == {
        "huggingface",
        "Iptc4xmpExt:DigitalSourceType",
        "xmp:CreatorTool",
        "ganflow.model",
        "ganflow.model_version",
        "ganflow.dataset_md5",
        "ganflow.release",
    }
    assert metadata[b"Iptc4xmpExt:DigitalSourceType"].decode() == TRAINED_ALGORITHMIC_MEDIA
    assert metadata[b"ganflow.model_version"] == b"3"


def test_the_json_beside_an_image_says_which_it_is():
    assert json_fields(MARK, seed=2**62, label=0) == {
        "Iptc4xmpExt:DigitalSourceType": TRAINED_ALGORITHMIC_MEDIA,
        "xmp:CreatorTool": "ganflow gan-generator/3",
        "model": "gan-generator",
        "model_version": 3,
        "dataset_md5": "0123456789abcdef" * 2,
        "release": "v3-001",
        "seed": 2**62,
        "label": 0,
    }
    assert json_fields(MARK) == MARK.fields()


@settings(max_examples=300, deadline=None)
@given(
    length=st.integers(0, 800),
    damage=st.lists(st.tuples(st.integers(0, 800), st.integers(0, 255)), max_size=5),
    tail=st.binary(max_size=20),
)
def test_damage_is_a_value_error_or_the_same_mark(length, damage, tail):
    (whole, *_) = encode_pngs(GREY, png_chunks(MARK))
    data = bytearray(whole[:length] + tail)
    for place, value in damage:
        if place < len(data):
            data[place] = value
    with contextlib.suppress(ValueError):
        assert read_mark(bytes(data)) == MARK.source
        assert data == whole


@given(data=st.binary(max_size=300))
def test_random_bytes_are_a_value_error(data):
    with pytest.raises(ValueError, match="PNG"):
        read_mark(data)


@pytest.mark.parametrize("length", [2**32 - 1, 2**31, 2**31 - 1, 1000])
def test_a_chunk_that_claims_more_than_there_is(length):
    (png, *_) = encode_pngs(GREY)
    with pytest.raises(ValueError, match="cut short"):
        read_mark(png[:33] + struct.pack(">I", length) + b"iTXt" + png[33:])
