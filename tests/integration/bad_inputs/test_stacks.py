"""Images in arrays, tables and databases: ingested whole, twice alike, and with what is bad among them."""

import io
import zipfile

import lmdb
import numpy as np
import pyarrow as pa
import pytest

pytestmark = pytest.mark.integration

LABELS = np.arange(24) % 2


def npz(zoo):
    np.savez_compressed(zoo.given / "set.npz", images=zoo.good, labels=LABELS)
    return zoo.given / "set.npz"


def stored(zoo):
    np.savez(zoo.given / "set.npz", images=zoo.good.transpose(0, 3, 1, 2), labels=np.eye(2)[LABELS])
    return zoo.given / "set.npz"


def fortran(zoo):
    np.save(zoo.given / "images.npy", np.asfortranarray(zoo.good / 255))
    return zoo.given / "images.npy"


def arrow(zoo):
    table = pa.table({"image": pa.array([zoo.encode(image) for image in zoo.good], pa.binary()), "label": LABELS})
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    (zoo.given / "set.arrow").write_bytes(out.getvalue())
    return zoo.given / "set.arrow"


def database(zoo):
    with lmdb.open(str(zoo.given / "set"), map_size=2**24) as made, made.begin(write=True) as writing:
        for index, image in enumerate(zoo.good):
            writing.put(f"{index:03d}".encode(), zoo.encode(image))
    return zoo.given / "set"


@pytest.mark.parametrize("make", [npz, stored, fortran, arrow, database])
def test_every_image_is_taken_and_the_same_again(zoo, make):
    outcome = zoo.ingest(make(zoo))
    assert outcome.rejects == {}
    assert outcome.has(zoo.good)
    if outcome.info.class_names:
        assert outcome.info.class_names == ("0", "1")


def pixel_table(images, labels):
    names = ["label", *(f"pixel{index}" for index in range(images[0].size))]
    rows = [names, *([label, *image.ravel()] for label, image in zip(labels, images, strict=True))]
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def test_a_table_of_pixels_in_a_zip_as_kaggle_packs_it(zoo):
    grey = zoo.good[..., 0]
    with zipfile.ZipFile(zoo.given / "digits.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", pixel_table(grey, LABELS))
        archive.writestr("sample_submission.csv", "ImageId,Label\n1,0\n")
    outcome = zoo.ingest(zoo.given / "digits.zip")
    assert (outcome.rejects, outcome.info.channels) == ({}, 1)
    assert outcome.has(grey[..., np.newaxis])


def test_labels_that_are_none_and_images_twice_in_an_array_are_rejected(zoo):
    images = np.concatenate([zoo.good, zoo.good[:1]])
    labels = np.concatenate([LABELS, [0]])
    labels[5] = -7
    np.savez(zoo.given / "set.npz", images=images, labels=labels)
    assert zoo.ingest(zoo.given / "set.npz").rejects == {"images/5": "label out of range", "images/24": "duplicate"}


def test_a_database_with_a_value_that_is_no_image(zoo):
    path = database(zoo)
    with lmdb.open(str(path), map_size=2**24) as made, made.begin(write=True) as writing:
        writing.put(b"length", b"24")
    assert zoo.ingest(path).rejects == {"data.mdb/length": "not an image"}
