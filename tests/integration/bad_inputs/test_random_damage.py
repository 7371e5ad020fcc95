"""Whatever happens to the bytes of a source, there is a dataset or a sentence, and no image is lost in silence."""

import gzip
import io
import tarfile

import pytest
from fuzzing.damage import DAMAGE, PLACE, damaged
from fuzzing.sources import COUNT, IDX, LOOSE, PIXELS, built, cifar, label_files, shards, tarred, zipped
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

pytestmark = pytest.mark.integration

often = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ZIP, TAR, GNU_TAR = zipped(), tarred(), tarred(tarfile.GNU_FORMAT)
CIFAR, PARQUET, CSV = cifar(), shards(), label_files()["labels.csv"]


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


@given(DAMAGE, st.sampled_from(sorted(IDX)))
@often
def test_damaged_idx_files(damage, name):
    built(name, damaged(IDX[name], damage), beside=IDX)


@given(DAMAGE)
@often
def test_damaged_cifar_files(damage):
    built("data_batch_1.bin", damaged(CIFAR, damage), beside={"test_batch.bin": CIFAR[: 4 * 3073]})


@given(st.binary(max_size=3073 * 3))
@often
def test_cifar_files_of_noise(data):
    built("data_batch_1.bin", data, beside={"readme": b""})


@given(DAMAGE)
@often
def test_damaged_parquet_files(damage):
    built("set.parquet", damaged(PARQUET, damage))


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
