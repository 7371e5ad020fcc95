"""Parquet files of any origin, and broken ones."""

import io
import json
import os
import pickle
import zipfile
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.data.files.archive import zip_tree
from gan.data.files.blob import Blob
from gan.data.files.tree import Entry, Tree, folder_tree
from gan.data.records import PART_IMAGES, Reject, SourceImage, read_all
from gan.data.sources.parquet import cut, rows
from gan.data.sources.parquet import file as parquet_file
from gan.data.sources.parquet.source import ParquetSource
from gan.data.store.shards import write_shards
from gan.errors import DatasetError, ResourcesError

WHITE = (255, 255, 255)
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def colour(seed, side=4):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def png(seed, side=4):
    out = io.BytesIO()
    Image.fromarray(colour(seed, side)).save(out, "PNG")
    return out.getvalue()


def pictures(count, first=0):
    return pa.array([{"bytes": png(first + index), "path": f"{index}.png"} for index in range(count)], STRUCT)


def features(**each):
    return {"huggingface": json.dumps({"info": {"features": each}})}


def save(path, columns, metadata=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata(metadata) if metadata else table, path, **options)
    return path


def open_folder(tmp_path, **options):
    return ParquetSource(folder_tree(tmp_path / "set"), WHITE, tmp_path / "scratch", **options)


def records(source):
    found = list(read_all(source))
    assert len(found) == len(source) == sum(map(len, source.parts()))
    return found


def same(record, seed, label=-1, split=None):
    assert isinstance(record, SourceImage), record
    assert np.array_equal(record.pixels, colour(seed))
    assert (record.label, record.split) == (label, split)
    return True


def test_a_dataset_of_ours_reads_back_with_its_splits_and_class_names(tmp_path):
    (tmp_path / "set").mkdir()
    images = np.stack([colour(seed) for seed in range(7)])
    write_shards(tmp_path / "set", "train", images[:5], [0, 1, 1, 0, 1], class_names=["cat", "dog"], shard_rows=2)
    write_shards(tmp_path / "set", "test", images[5:], [1, 0], class_names=["cat", "dog"])
    source = open_folder(tmp_path)
    assert (source.name, source.kind, source.class_names, source.has_split) == ("set", "parquet", ("cat", "dog"), True)
    found = records(source)
    assert [record.path for record in found[:3]] == [
        "train-00000-of-00003.parquet/0",
        "train-00000-of-00003.parquet/1",
        "train-00001-of-00003.parquet/0",
    ]
    labels = [(0, "train"), (1, "train"), (1, "train"), (0, "train"), (1, "train"), (1, "test"), (0, "test")]
    assert all(same(found[seed], seed, *labels[seed]) for seed in range(7))


def test_a_dataset_of_ours_without_labels_has_no_classes(tmp_path):
    (tmp_path / "set").mkdir()
    write_shards(tmp_path / "set", "train", np.stack([colour(0)]), [-1])
    source = open_folder(tmp_path)
    assert (source.class_names, source.has_split, source.notes) == ((), False, ())
    assert same(records(source)[0], 0)


@pytest.mark.parametrize(
    "kind",
    [STRUCT, pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int32(), pa.binary())],
)
def test_images_are_structs_or_bytes_of_any_arrow_type(tmp_path, kind):
    values = [png(0), None, png(2), b""]
    if kind == STRUCT:
        values = [None if each is None else {"bytes": each, "path": None} for each in values]
    column = pa.array(values, kind) if not pa.types.is_dictionary(kind) else pa.array(values).dictionary_encode()
    save(tmp_path / "set" / "x.parquet", {"image": column, "n": [1, 2, 3, 4]})
    first, second, third, fourth = records(open_folder(tmp_path))
    assert same(first, 0)
    assert same(third, 2)
    assert second == Reject("x.parquet/1", "no image bytes")
    assert fourth == Reject("x.parquet/3", "empty file")


@pytest.mark.parametrize(
    ("labels", "names", "indices"),
    [
        (pa.array([10, 9, None, -1, 9]), ("9", "10"), [1, 0, -1, -1, 0]),
        (pa.array([10, 2, 3, 10, 2], pa.uint8()), ("2", "3", "10"), [2, 0, 1, 2, 0]),
        (pa.array([True, False, None, True, True]), ("0", "1"), [1, 0, -1, 1, 1]),
        (pa.array([1.0, float("nan"), None, 0.0, 1.0]), ("0", "1"), [1, -1, -1, 0, 1]),
        (pa.array(["dog", "cat", "", None, " dog"]), ("cat", "dog"), [1, 0, -1, -1, 1]),
        (pa.array(["dog", "nan", "NaN", "cat", None]), ("cat", "dog"), [1, -1, -1, 0, -1]),
        (pa.array(["10", "nan", "9", "", "10"]), ("9", "10"), [1, -1, 0, -1, 1]),
        (pa.array(["10", "9", "09", "-1", "10"]), ("9", "10"), [1, 0, 0, -1, 1]),
        (pa.array(["b", "a", "b", "a", None]).dictionary_encode(), ("a", "b"), [1, 0, 1, 0, -1]),
        (pa.array(["b", "a", "b", "a", None], pa.string_view()), ("a", "b"), [1, 0, 1, 0, -1]),
        (pa.nulls(5), (), [-1] * 5),
        (pa.array([-1] * 5), (), [-1] * 5),
    ],
)
def test_labels_make_the_classes(tmp_path, labels, names, indices):
    save(tmp_path / "set" / "x.parquet", {"picture": pictures(5), "Category": labels}, row_group_size=2)
    source = open_folder(tmp_path)
    assert source.class_names == names
    assert all(same(record, seed, indices[seed]) for seed, record in enumerate(records(source)))
    unlabelled = open_folder(tmp_path, use_labels=False)
    assert unlabelled.class_names == ()
    assert {record.label for record in records(unlabelled)} == {-1}


def test_declared_class_names_hold_and_labels_beyond_them_are_rejected(tmp_path):
    metadata = features(
        a={"_type": "Image"}, b={"_type": "ClassLabel", "names": ["zebra", "ant", "cow"]}, label={"_type": "Value"}
    )
    columns = {"other": [b"x"] * 5, "a": pictures(5), "b": [1, 3, None, -1, -2], "label": [1] * 5}
    save(tmp_path / "set" / "x.parquet", columns, metadata)
    source = open_folder(tmp_path)
    assert source.class_names == ("zebra", "ant", "cow")
    first, second, third, fourth, fifth = records(source)
    assert same(first, 0, 1)
    assert second == Reject("x.parquet/1", "label out of range", "3")
    assert same(third, 2)
    assert same(fourth, 3)
    assert fifth == Reject("x.parquet/4", "label out of range", "-2")


def test_declared_names_without_any_label_make_no_classes(tmp_path):
    metadata = features(image={"_type": "Image"}, label={"_type": "ClassLabel", "names": ["a", "b"]})
    save(tmp_path / "set" / "x.parquet", {"image": pictures(2), "label": [-1, -1]}, metadata)
    assert open_folder(tmp_path).class_names == ()


def test_of_several_declared_labels_one_is_taken_and_named(tmp_path):
    metadata = features(
        img={"_type": "Image"},
        coarse_label={"_type": "ClassLabel", "names": ["animal", "plant"]},
        fine_label={"_type": "ClassLabel", "names": ["ant", "bee", "oak"]},
    )
    columns = {"img": pictures(2), "coarse_label": [0, 1], "fine_label": [1, 2]}
    save(tmp_path / "set" / "x.parquet", columns, metadata)
    source = open_folder(tmp_path)
    assert source.class_names == ("ant", "bee", "oak")
    assert source.notes == ("classes are those of the column fine_label, one of coarse_label, fine_label",)


def test_labels_that_name_no_class_are_noted(tmp_path):
    save(tmp_path / "set" / "x.parquet", {"image": pictures(2), "labels": [[1, 2], [3]]})
    source = open_folder(tmp_path)
    assert source.class_names == ()
    assert source.notes == ("the column labels (list<element: int64>) names no class, so the images have no labels",)


@pytest.mark.parametrize(
    "metadata", [b"[", b"{}", b'{"info": 1}', b"[" * 100_000, b'{"info": {"features": [1]}}', b"\xff"]
)
def test_metadata_that_says_nothing_is_no_matter(tmp_path, metadata):
    save(tmp_path / "set" / "x.parquet", {"image": pictures(1), "label": ["a"]}, {"huggingface": metadata})
    assert open_folder(tmp_path).class_names == ("a",)


@pytest.mark.parametrize(
    ("columns", "metadata", "words"),
    [
        ({"image": [1, 2]}, None, "no column of images: its columns are image"),
        (
            {"image": [[b"x"]]},
            None,
            r"image is list<[^,]*binary>, so several images in a row\): give one with an encoded",
        ),
        ({"image": [[{"bytes": b"x"}]]}, None, "so several images in a row"),
        ({"image": [[1, 2]]}, None, r"image is list<[^,]*int64>, so lists of pixels"),
        ({"pixels": pa.array([[[1]]], pa.list_(pa.list_(pa.uint8(), 1)))}, None, "so lists of pixels"),
        ({"image": ["a.png"]}, None, "image is string, so paths, addresses or base64"),
        ({"text": ["x"], "image_path": ["a.png"]}, None, "image_path is string, so paths"),
        ({"image": pa.array([{"path": "a"}])}, None, "image is struct<path: string>, which has no bytes"),
        ({"image": pa.array([{"bytes": "a"}])}, None, "image is struct<bytes: string>, which has no bytes"),
        ({"image": pa.array([b"abcd"], pa.binary(4))}, None, r"image is fixed_size_binary\[4\], so bytes of pixels"),
        ({"text": ["x"]}, None, "its columns are text"),
        ({"x": [b"x"], "y": [b"y"]}, None, "several columns that may hold images: x, y"),
        ({"image": pictures(0)}, None, "have no rows"),
        ({"image": pictures(1), "label": ["x" * 1001]}, None, "a text and no class"),
        ({"image": pictures(1), "label": [0.5]}, None, "'0.5', which is no class"),
        ({"image": pictures(1), "label": [0]}, {"_type": "ClassLabel", "names": ["a", "a"]}, "impossible class names"),
        ({"image": pictures(1), "label": [0]}, {"_type": "ClassLabel", "names": [1]}, "impossible class names"),
        ({"image": pictures(1), "label": [0]}, {"_type": "ClassLabel", "names": "ab"}, "impossible class names"),
        ({"image": pictures(1), "label": [0]}, {"_type": "ClassLabel", "names": ["\ud800"]}, "impossible class names"),
    ],
)
def test_a_file_without_usable_columns_is_explained(tmp_path, columns, metadata, words):
    save(tmp_path / "set" / "x.parquet", columns, metadata and features(label=metadata))
    with pytest.raises(DatasetError, match=words) as caught:
        open_folder(tmp_path)
    assert "\n" not in str(caught.value)


def test_two_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "set").mkdir()
    table = pa.Table.from_arrays([pictures(1), pictures(1)], names=["image", "image"])
    pq.write_table(table, tmp_path / "set" / "x.parquet")
    with pytest.raises(DatasetError, match="two columns of one name: image"):
        open_folder(tmp_path)


def test_the_only_column_of_bytes_is_the_images(tmp_path):
    save(tmp_path / "set" / "x.parquet", {"Foo": pictures(1), "id": [1]})
    assert same(records(open_folder(tmp_path))[0], 0)


@pytest.mark.parametrize(
    ("paths", "splits"),
    [
        (["train-0.parquet", "validation-0.parquet", "test-0.parquet"], ["train", "train", "test"]),
        (["data/train-0.parquet", "data/val-0.parquet", "data/train-1.parquet"], ["train", "test", "train"]),
        (["train/0.parquet", "test/0.parquet"], ["train", "test"]),
        (["a/train/0.parquet", "a/test/0.parquet"], ["train", "test"]),
        (["train-0.parquet", "train-1.parquet"], [None, None]),
        (["train-0.parquet", "other.parquet"], [None, None]),
        (["x.parquet", "sub/y.parquet"], [None, None]),
    ],
)
def test_names_of_files_or_folders_are_splits(tmp_path, paths, splits):
    for seed, path in enumerate(paths):
        save(tmp_path / "set" / path, {"image": pictures(1, seed)})
    source = open_folder(tmp_path)
    assert source.has_split is (splits[0] is not None)
    found = {record.path.rsplit("/", 1)[0]: record for record in records(source)}
    assert all(same(found[path], seed, -1, splits[seed]) for seed, path in enumerate(paths))
    order = [record.split == "test" for record in records(source)]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"picture": pictures(1), "label": [1]}, "column of images"),
        ({"image": pictures(1), "labels": [1]}, "column of labels"),
        ({"image": pictures(1)}, "column of labels"),
    ],
)
def test_files_that_do_not_belong_together_are_named(tmp_path, other, what):
    save(tmp_path / "set" / "a.parquet", {"image": pictures(1), "label": [1]})
    save(tmp_path / "set" / "b.parquet", other)
    with pytest.raises(DatasetError, match=rf"a.parquet and b.parquet .* do not have the same {what}"):
        open_folder(tmp_path)


def test_files_with_other_class_names_are_refused_and_empty_ones_have_no_say(tmp_path):
    def label(*names):
        return features(label={"_type": "ClassLabel", "names": names})

    save(tmp_path / "set" / "a.parquet", {"image": pictures(1), "label": [0]}, label("x", "y"))
    save(tmp_path / "set" / "b.parquet", {"image": pictures(0), "label": pa.array([], pa.int64())}, label("z"))
    assert open_folder(tmp_path).class_names == ("x", "y")
    save(tmp_path / "set" / "c.parquet", {"image": pictures(1), "label": [0]}, label("y", "x"))
    with pytest.raises(DatasetError, match=r"a.parquet and c.parquet .* class names"):
        open_folder(tmp_path)


def test_parts_are_bounded_and_read_anywhere(tmp_path, monkeypatch):
    count = 2 * PART_IMAGES + 10
    same_image = pa.array([{"bytes": png(0), "path": None}] * count, STRUCT)
    labels = [index % 3 for index in range(count)]
    save(tmp_path / "set" / "x.parquet", {"image": same_image, "label": labels})
    source = open_folder(tmp_path)
    parts = source.parts()
    assert [len(part) for part in parts] == [PART_IMAGES, PART_IMAGES, 10]
    again = [pickle.loads(pickle.dumps(part)) for part in parts]
    assert [part.identity() for part in again] == [part.identity() for part in parts]
    assert len({part.identity() for part in parts}) == 3
    found = [record for part in reversed(again) for record in reversed(list(part.read()))][::-1]
    assert [(record.path, record.label) for record in found] == [
        (f"x.parquet/{index}", index % 3) for index in range(count)
    ]
    os.utime(tmp_path / "set" / "x.parquet", ns=(1, 1))
    assert [part.identity() for part in open_folder(tmp_path).parts()] != [part.identity() for part in parts]


def test_parts_hold_about_as_many_bytes_as_they_may(tmp_path, monkeypatch):
    monkeypatch.setattr("gan.data.sources.parquet.source.PART_BYTES", 20_000)
    columns = {"image": [png(seed, 50) for seed in range(20)]}
    save(tmp_path / "set" / "x.parquet", columns, use_dictionary=False)
    source = open_folder(tmp_path)
    assert {len(part) for part in source.parts()} == {2}
    assert len(records(source)) == 20


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"compression": "zstd", "row_group_size": 30}])
def test_large_row_groups_are_written_again_once(tmp_path, monkeypatch, options):
    monkeypatch.setattr(cut, "MAX_ROWS", 20)
    monkeypatch.setattr(cut, "PART_IMAGES", 7)
    monkeypatch.setattr(parquet_file, "_BATCH_ROWS", 3)
    names = ["b", None, "a"]
    columns = {"image": pictures(40), "label": [names[index % 3] for index in range(40)]}
    save(tmp_path / "set" / "x.parquet", columns, **options)
    source = open_folder(tmp_path)
    assert max(map(len, source.parts())) < 12
    indices = [1, -1, 0]
    for seed, record in enumerate(records(source)):
        assert same(record, seed, indices[seed % 3])
        assert record.path == f"x.parquet/{seed}"
    copies = {path: path.stat().st_mtime_ns for path in (tmp_path / "scratch").iterdir()}
    assert len(copies) == 1
    assert [part.identity() for part in open_folder(tmp_path).parts()] == [part.identity() for part in source.parts()]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "scratch").iterdir()} == copies


def test_a_full_disk_is_told_before_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(cut, "MAX_ROWS", 2)
    monkeypatch.setattr("gan.data.files.unpack._RESERVED_BYTES", 2**60)
    save(tmp_path / "set" / "x.parquet", {"image": pictures(4)})
    with pytest.raises(ResourcesError, match=r"x\.parquet"):
        open_folder(tmp_path)
    assert not list((tmp_path / "scratch").iterdir())


def test_an_image_of_too_many_bytes_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAX_FILE_BYTES", 2**20)
    save(
        tmp_path / "set" / "x.parquet", {"image": [png(0), bytes(2**20 + 1)]}, use_dictionary=False, compression="none"
    )
    first, second = records(open_folder(tmp_path))
    assert same(first, 0)
    assert second == Reject("x.parquet/1", "too large", "more than 1,048,576 bytes")


def test_rows_that_repeat_one_large_value_are_read_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_file, "_AT_ONCE_BYTES", 2**22)
    large = png(0, 600)
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int32()), pa.array([large]))
    save(tmp_path / "set" / "x.parquet", {"image": dictionary}, store_schema=False, dictionary_pagesize_limit=2**24)
    source = open_folder(tmp_path)
    before = pa.total_allocated_bytes()
    peak = 0
    for part in source.parts():
        for _ in part.read():
            peak = max(peak, pa.total_allocated_bytes() - before)
            break
    assert len(large) > 2**20
    assert 0 < peak < 2**24


def test_a_file_in_a_zip_is_read(tmp_path):
    path = save(tmp_path / "x.parquet", {"image": pictures(2)})
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "in/train.parquet")
    source = ParquetSource(zip_tree(tmp_path / "set.zip", "set.zip"), WHITE, tmp_path / "scratch")
    assert [record.path for record in records(source)] == ["in/train.parquet/0", "in/train.parquet/1"]


def test_a_single_file_may_be_called_anything(tmp_path):
    path = save(tmp_path / "set" / "x.pq", {"image": pictures(1)})
    os.rename(path, os.fsencode(tmp_path) + b"/set/\xff")
    assert same(records(open_folder(tmp_path))[0], 0)


def test_links_pipes_and_other_files_are_refused(tmp_path):
    save(tmp_path / "there.parquet", {"image": pictures(1)})
    (tmp_path / "set").mkdir()
    with pytest.raises(DatasetError, match="no Parquet file was found"):
        open_folder(tmp_path)
    for make, words in [
        (lambda path: path.symlink_to(tmp_path / "there.parquet"), "symbolic link"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.touch(), "cut short"),
        (lambda path: path.write_bytes(b"PAR1"), "broken Parquet file"),
        (lambda path: path.write_text("hello"), "no Parquet file"),
    ]:
        path = tmp_path / "set" / "x.parquet"
        make(path)
        with pytest.raises(DatasetError, match=words):
            open_folder(tmp_path)
        path.unlink()


def test_a_file_that_a_zip_must_not_give_is_not_left_out_silently(tmp_path):
    path = save(tmp_path / "a.parquet", {"image": pictures(1)})
    blob = Blob(str(path), path.stat().st_size)
    tree = Tree("set", "set.zip", (Entry("a.parquet", blob),), (Reject("b.parquet", "encrypted"),), is_archive=True)
    with pytest.raises(DatasetError, match=r"b\.parquet in set\.zip cannot be used \(encrypted\)"):
        ParquetSource(tree, WHITE, tmp_path)


def test_a_broken_row_group_costs_its_own_rows(tmp_path):
    columns = {"image": pictures(9), "label": ["a", "b", "c"] * 3}
    path = save(tmp_path / "set" / "x.parquet", columns, row_group_size=3, use_dictionary=False, compression="none")
    group = pq.ParquetFile(path).metadata.row_group(1)
    data = bytearray(path.read_bytes())
    data[group.column(0).data_page_offset : group.column(0).data_page_offset + 8] = b"\xff" * 8
    path.write_bytes(data)
    found = records(open_folder(tmp_path))
    assert [record.reason for record in found[3:6]] == ["broken Parquet file"] * 3
    assert all(same(found[seed], seed, seed % 3) for seed in (0, 1, 2, 6, 7, 8))


def test_a_file_that_goes_away_gives_rejects(tmp_path):
    path = save(tmp_path / "set" / "x.parquet", {"image": pictures(3)})
    source = open_folder(tmp_path)
    path.unlink()
    assert {record.reason for record in records(source)} == {"cannot be read"}


def test_a_footer_that_lies_about_rows_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "set" / "x.parquet", {"image": pictures(3)})
    data = path.read_bytes()
    # 3 rows are the varint 06 in the footer, after field 3 (file), and in each row group and column chunk.
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for at in [index for index in range(footer, len(data) - 8) if data[index] == 6]:
        path.write_bytes(data[:at] + b"\x7e" + data[at + 1 :])
        with suppress(DatasetError):
            assert len(records(open_folder(tmp_path))) == 3
    monkeypatch.setattr(parquet_file, "_ANY_ROWS", 0)
    save(tmp_path / "set" / "x.parquet", {"image": pa.nulls(5000, pa.binary())})
    with pytest.raises(DatasetError, match="5,000 rows in"):
        open_folder(tmp_path)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("gan.data.files.archive.HARMLESS_BYTES", 2**20)
    columns = {"image": [bytes(2**22), bytes(2**22)]}
    save(tmp_path / "set" / "x.parquet", columns, compression="zstd", use_dictionary=False)
    with pytest.raises(DatasetError, match="decompression bomb"):
        open_folder(tmp_path)


def survives(tmp_path, data):
    (tmp_path / "set").mkdir(exist_ok=True)
    (tmp_path / "set" / "x.parquet").write_bytes(data)
    before = pa.total_allocated_bytes()
    explanation = ""
    try:
        source = open_folder(tmp_path)
        for each in records(source):
            assert isinstance(each, Reject) or 0 <= each.label + 1 <= len(source.class_names)
    except DatasetError as error:
        explanation = str(error)
    assert "\n" not in explanation
    assert pa.total_allocated_bytes() - before < 2**24
    return True


def test_no_byte_of_a_footer_ends_the_process(tmp_path):
    # pyarrow's own look at a column's metadata does: it throws through C++ that catches nothing.
    out = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array([png(0)])}), out, store_schema=False, use_dictionary=False)
    whole = out.getvalue()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for at in range(footer, len(whole)):
        for value in {0, 0x16, 0xFF, whole[at] ^ 1, whole[at] ^ 2}:
            assert survives(tmp_path, whole[:at] + bytes([value]) + whole[at + 1 :])


def wholes():
    columns = {"image": pictures(12), "label": ["a", "b", None, "c"] * 3, "other": list(range(12))}
    declared = features(image={"_type": "Image"}, label={"_type": "ClassLabel", "names": ["x", "y", "z"]})
    for options in [
        {"use_dictionary": False, "compression": "none"},
        {"row_group_size": 5},
        {"compression": "zstd", "data_page_version": "2.0"},
        {"use_dictionary": False, "column_encoding": {"label": "DELTA_BYTE_ARRAY"}},
    ]:
        out = io.BytesIO()
        pq.write_table(pa.table(columns), out, **options)
        yield out.getvalue()
    out = io.BytesIO()
    columns["label"] = [0, 1, 2, -1] * 3
    pq.write_table(pa.table(columns).replace_schema_metadata(declared), out)
    yield out.getvalue()


WHOLE = list(wholes())


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_gives_an_explanation_or_rejects_and_nothing_else(tmp_path, data):
    whole = bytearray(data.draw(st.sampled_from(WHOLE)))
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    place = st.one_of(st.integers(0, len(whole) - 1), st.integers(footer, len(whole) - 1))
    for at, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=4)):
        whole[at] = value
    end = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "MAX_ROWS", data.draw(st.sampled_from([3, 4000])))
        assert survives(tmp_path, bytes(whole[:end]))


class Touch:
    """What a pickle does when it is read: it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_an_extension_type_that_brings_a_pickle_is_plain_data(tmp_path):
    """As `arrow.py_extension_type` stores one; older readers unpickled it with the schema."""
    mark, file = tmp_path / "ran", tmp_path / "set" / "train.parquet"
    brought = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(Touch(mark))}
    column = pa.field("image", STRUCT, metadata=brought)
    file.parent.mkdir()
    pq.write_table(pa.table([pictures(3)], schema=pa.schema([column])), file)
    assert pq.read_schema(file).field("image").metadata[b"ARROW:extension:name"] == b"arrow.py_extension_type"
    with suppress(DatasetError):
        assert len(list(read_all(ParquetSource(folder_tree(file.parent), WHITE, tmp_path)))) == 3
    assert not mark.exists()


def test_folders_that_a_table_was_partitioned_by_are_classes(tmp_path):
    for number, folder in enumerate(("label=dog", "label=big%20cat", "label=__HIVE_DEFAULT_PARTITION__")):
        save(tmp_path / "set" / folder / "part-0.parquet", {"image": pictures(2, first=10 * number)})
    source = open_folder(tmp_path)
    assert (source.class_names, source.notes) == (("big cat", "dog"), ())
    big, dog, none = (records(source)[at : at + 2] for at in (2, 4, 0))
    assert all(same(record, 10 + at, 0) for at, record in enumerate(big))
    assert all(same(record, at, 1) for at, record in enumerate(dog))
    assert all(same(record, 20 + at, -1) for at, record in enumerate(none))
    assert open_folder(tmp_path, use_labels=False).class_names == ()
    save(tmp_path / "set" / "more.parquet", {"image": pictures(1, first=50)})
    assert open_folder(tmp_path).class_names == ()


@pytest.mark.parametrize("name", ["class_id", "label_id", "Species"])
def test_a_column_that_speaks_of_labels_and_is_not_read_is_named(tmp_path, name):
    save(tmp_path / "set" / "a.parquet", {"image": pictures(2), name: [0, 1]})
    (note,) = open_folder(tmp_path).notes
    assert note.startswith(
        f"the images have no labels, for {name} is not called as they are: name one with --label-column"
    )
    source = open_folder(tmp_path, label_column=name)
    assert (source.class_names, source.notes, source.asked) == (("0", "1"), (), {"label_column": name})


def test_of_several_columns_of_labels_the_one_that_is_named_is_read(tmp_path):
    coarse = {"_type": "ClassLabel", "names": ["animal", "thing"]}
    columns = {"image": pictures(3), "label": [0, 1, 2], "coarse": [1, 0, 1]}
    save(tmp_path / "set" / "a.parquet", columns, features(coarse=coarse, image={"_type": "Image"}))
    source = open_folder(tmp_path, label_column="coarse")
    assert source.class_names == ("animal", "thing")
    assert [record.label for record in records(source)] == [1, 0, 1]
    assert open_folder(tmp_path, label_column="label").class_names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("name", "words"),
    [("kind", "no such column of labels: its columns are image, label"), ("image", "labels: image is struct<")],
)
def test_a_column_of_labels_that_is_none_is_refused(tmp_path, name, words):
    save(tmp_path / "set" / "a.parquet", {"image": pictures(2), "label": [0, 1]})
    with pytest.raises(DatasetError, match=rf"{words}.*correct --label-column"):
        open_folder(tmp_path, label_column=name)


def test_without_a_column_of_images_the_types_of_all_are_said(tmp_path):
    save(tmp_path / "set" / "a.parquet", {"image": pa.array([["x"]]), "label": [0]})
    with pytest.raises(
        DatasetError, match=r"image is list<.*string>, so lists of pixels\): give one with an encoded image in each row"
    ):
        open_folder(tmp_path)
