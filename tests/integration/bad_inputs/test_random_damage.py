"""Whatever happens to the bytes of a source, there is a dataset or a sentence, and no image is lost in silence."""

import gzip
import io
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.data.store.shards import split_rows, write_shards
from gan.errors import GanflowError

pytestmark = pytest.mark.integration

COUNT, SIDE = 12, 8
CONFIG = DataConfig(resolution=SIDE, holdout_fraction=0.5, max_reject_share=1.0, min_class_images=1)
PIXELS = np.random.default_rng(11).integers(0, 256, (COUNT, SIDE, SIDE, 3), np.uint8)
# One of three things done at a place that is given as a share of the length.
PLACE = st.floats(0, 1, exclude_max=True)
DAMAGE = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), PLACE, st.integers(1, 255)),
        st.tuples(st.just("cut"), PLACE, st.integers(1, 2000)),
        st.tuples(st.just("insert"), PLACE, st.binary(min_size=1, max_size=600)),
        st.tuples(st.just("set"), PLACE, st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\xff" * 8, b"\x7f\xff\xff\xff"])),
    ),
    min_size=1,
    max_size=4,
)
often = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def damaged(data, damage):
    out = bytearray(data)
    for what, place, how in damage:
        at = int(place * len(out))
        if what == "flip" and out:
            out[at] ^= how
        elif what == "cut":
            del out[at : at + how]
        elif what == "insert":
            out[at:at] = how
        elif what == "set":
            out[at : at + len(how)] = how
    return bytes(out)


def files():
    found = {}
    for index, image in enumerate(PIXELS):
        out = io.BytesIO()
        Image.fromarray(image).save(out, "PNG")
        found[f"{'cat' if index % 2 else 'dog'}/{index:02d}.png"] = out.getvalue()
    return found


def built(name, data, beside=None):
    """Build from a folder with a damaged file in it, or from that file; return how many records it had, if any."""
    with tempfile.TemporaryDirectory() as top:
        root = Path(top) / "set"
        root.mkdir()
        for path, content in {**(beside or {}), name: data}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        work, out = Path(top) / "work", Path(top) / "data"
        try:
            sentence = ""
            source = open_source(SourceSpec(str(root if beside else root / name)), work / "scratch")
            build_dataset(source, CONFIG, out, work=work / "parts", quarantine=work / "quarantine.jsonl")
        except GanflowError as error:
            sentence = str(error)
        finally:
            assert {path.name for path in Path(top).iterdir()} <= {"set", "work", "data"}
        assert sentence.isprintable()
        if sentence:
            return None
        kept = split_rows(out, "train") + split_rows(out, "test")
        rejected = len((work / "quarantine.jsonl").read_text("utf-8").splitlines())
        assert kept + rejected == len(source)
        return len(source)


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files().items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tarred(format=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, data in files().items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = {"comment": "é"}
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


ZIP, TAR, GNU_TAR = zipped(), tarred(), tarred(tarfile.GNU_FORMAT)


def test_the_undamaged_are_taken_whole():
    assert [built("set.zip", ZIP), built("set.tar", TAR), built("set.tar", GNU_TAR)] == [COUNT] * 3
    assert built("set.tgz", gzip.compress(TAR)) == COUNT


@given(DAMAGE)
@often
def test_damaged_zips(damage):
    built("set.zip", damaged(ZIP, damage))


@given(DAMAGE)
@often
def test_damaged_tars(damage):
    built("set.tar", damaged(TAR, damage))


@given(DAMAGE)
@often
def test_damaged_packed_tars(damage):
    built("set.tgz", damaged(gzip.compress(TAR, mtime=0), damage))


@given(PLACE, st.integers(1, 255))
@often
@example(600 / len(GNU_TAR), 1)
def test_a_flipped_byte_loses_no_member_of_a_tar(place, bits):
    """Headers have checksums: a byte that is wrong there ends the reading, in the pixels it costs one image."""
    end = GNU_TAR.rstrip(b"\0")
    assert built("set.tar", damaged(GNU_TAR, [("flip", place * len(end) / len(GNU_TAR), bits)])) in {COUNT, None}


IDX = {
    "train-images-idx3-ubyte": struct.pack(">4I", 0x803, COUNT, SIDE, SIDE) + PIXELS[..., 0].tobytes(),
    "train-labels-idx1-ubyte": struct.pack(">2I", 0x801, COUNT) + bytes(index % 2 for index in range(COUNT)),
}


@given(DAMAGE, st.sampled_from(sorted(IDX)))
@often
def test_damaged_idx_files(damage, name):
    built(name, damaged(IDX[name], damage), beside=IDX)


CIFAR = b"".join(bytes([index % 2]) + image.repeat(4, 0).repeat(4, 1).tobytes() for index, image in enumerate(PIXELS))


@given(DAMAGE)
@often
def test_damaged_cifar_files(damage):
    built("data_batch_1.bin", damaged(CIFAR, damage), beside={"test_batch.bin": CIFAR[: 4 * 3073]})


@given(st.binary(max_size=3073 * 3))
@often
def test_cifar_files_of_noise(data):
    built("data_batch_1.bin", data, beside={"readme": b""})


def parquet():
    with tempfile.TemporaryDirectory() as folder:
        (path,) = write_shards(Path(folder), "train", PIXELS, np.arange(COUNT) % 2, class_names=["cat", "dog"])
        return path.read_bytes()


PARQUET = parquet()


@given(DAMAGE)
@often
def test_damaged_parquet_files(damage):
    built("set.parquet", damaged(PARQUET, damage))


LOOSE = {f"{index:02d}.png": data for index, data in enumerate(files().values())}
CSV = "\n".join(["file,label", *(f"{name},class {index % 2}" for index, name in enumerate(LOOSE))]).encode()


@given(DAMAGE)
@often
def test_damaged_files_of_labels(damage):
    # Rows may be lost with the labels, files may not.
    assert built("labels.csv", damaged(CSV, damage), beside=LOOSE) in {None, *range(COUNT, 3 * COUNT)}


@given(st.text(max_size=300), st.sampled_from([f"labels.{each}" for each in ("csv", "tsv", "json", "jsonl")]))
@often
def test_files_of_labels_that_are_any_text(text, name):
    assert built(name, text.encode("utf-8", "surrogatepass"), beside=LOOSE) in {None, *range(COUNT, 300)}


@given(DAMAGE, st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"]))
@often
def test_a_damaged_image_costs_no_other(damage, format):
    out = io.BytesIO()
    Image.fromarray(PIXELS[0].repeat(3, 0).repeat(3, 1)).save(out, format)
    assert built("bad.png", damaged(out.getvalue(), damage), beside=LOOSE) == COUNT + 1
