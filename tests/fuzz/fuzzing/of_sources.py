"""Attacks on what reads images of anyone: archives, arrays, tables, files of labels, image files."""

from functools import partial

from fuzzing.sources import (
    COUNT,
    IDX,
    LOOSE,
    PACKED_IDX,
    SIDE,
    arrays,
    arrow_tables,
    cifar,
    databases,
    files,
    ingested,
    label_files,
    packed_tars,
    pictures,
    pixel_tables,
    place,
    shards,
    tables,
    tars,
    webdatasets,
    zipped,
    zips,
)
from fuzzing.tables import CELL_EDITS, COLUMN_EDITS, edited_csv, edited_parquet
from fuzzing.target import target
from fuzzing.trees import EDITS, edited_json
from gan.data.files.blob import UnreadableError
from gan.data.image_sets.image_set import open_image_set
from gan.data.pixels.decode import decode_images
from gan.data.pixels.window import to_8_bits
from gan.data.records import Deep
from gan.data.sources.labels.files import parse_labels


@target(zips)
def zip_archive(name, data, folder):
    ingested(folder, name, data)


@target(tars)
def tar_archive(name, data, folder):
    ingested(folder, name, data)


@target(packed_tars)
def packed_tar(name, data, folder):
    ingested(folder, name, data)


@target(webdatasets)
def webdataset(name, data, folder):
    ingested(folder, name, data)


@target(lambda: {**IDX, **PACKED_IDX})
def idx_files(name, data, folder):
    ingested(folder, name, data, beside=PACKED_IDX if name.endswith("gz") else IDX)


@target(lambda: {"data_batch_1.bin": cifar(), "train.bin": cifar(2), "batches.meta.txt": b"cat\ndog\n"})
def cifar_files(name, data, folder):
    ten = {"data_batch_1.bin": cifar(), "test_batch.bin": cifar()[: 4 * 3073]}
    ingested(folder, name, data, beside={"test.bin": cifar(2)[: 4 * 3074]} if name == "train.bin" else ten)


@target(arrays)
def numpy_arrays(name, data, folder):
    ingested(folder, name, data)


@target(pixel_tables)
def pixel_table_bytes(name, data, folder):
    ingested(folder, name, data)


@target(pixel_tables, edits=(CELL_EDITS, edited_csv))
def pixel_table_cells(name, data, folder):
    ingested(folder, name, data)


@target(arrow_tables)
def arrow_bytes(name, data, folder):
    ingested(folder, name, data)


@target(databases)
def lmdb_database(name, data, folder):
    ingested(folder, name, data)


@target(tables)
def parquet_bytes(name, data, folder):
    ingested(folder, name, data)


@target(tables, edits=(COLUMN_EDITS, edited_parquet))
def parquet_columns(name, data, folder):
    ingested(folder, name, data)


@target(pictures, errors=(UnreadableError,))
def image_file(name, data, folder):
    for image in decode_images(data):
        pixels = image
        if isinstance(image, Deep):
            for window in ((0.0, 1.0), image.window or (-5.0, 9.0)):
                pixels = to_8_bits(image, window, (255, 255, 255))
        assert pixels.dtype == "uint8"
        assert pixels.ndim == 3
        assert pixels.shape[2] in {1, 3}
        assert pixels.shape[:2] == image.shape[:2]
        assert min(pixels.shape) > 0


def _labels_in(*suffixes):
    return {name: data for name, data in label_files().items() if name.endswith(suffixes)}


def _first_line_edited(data, edits):
    """Edit each line of JSON by itself, or the whole where it is one."""
    try:
        return edited_json(data, edits)
    except ValueError:
        first, *others = data.split(b"\n")
        return b"\n".join([edited_json(first, edits), *others])


@target(partial(_labels_in, ".csv", ".tsv"), edits=(CELL_EDITS, edited_csv))
def labels_in_tables(name, data, folder):
    parse_labels(name, data)


@target(partial(_labels_in, ".json", ".jsonl"), edits=(EDITS, _first_line_edited))
def labels_in_json(name, data, folder):
    parse_labels(name, data)


@target(partial(_labels_in, ".json", ".jsonl"), edits=(EDITS, _first_line_edited))
def folder_with_labels(name, data, folder):
    assert ingested(folder, name, data, beside=LOOSE) >= COUNT


@target(lambda: {"dog/new.png": files()["dog/00.png"], "set.zip": zipped(), "train-00000-of-00001.parquet": shards()})
def image_set(name, data, folder):
    contents = {name: data} if name == "set.zip" else {**files(), name: data}
    if name.endswith("parquet"):
        contents = {name: data, "manifest.json": b"{}"}
    place(folder / "set", contents)
    given = folder / "set" / name if name == "set.zip" else folder / "set"
    assert open_image_set(given, scratch=folder / "scratch").images.shape[1:3] == (SIDE, SIDE)
