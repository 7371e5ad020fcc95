"""LMDB databases, whole and broken."""

import io
import pickle
import random
import subprocess
import sys
import tarfile

import lmdb
import numpy as np
import pytest
from PIL import Image

from gan.data.records import PART_IMAGES, Reject, read_all
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.errors import DatasetError

IMAGES = np.random.default_rng(3).integers(0, 256, (9, 6, 6, 3), np.uint8)


def webp(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True)
    return out.getvalue()


def database(path, values):
    path.mkdir(parents=True)
    with lmdb.open(str(path), map_size=2**26) as made, made.begin(write=True) as writing:
        for key, value in values.items():
            writing.put(key, value)
    return path


def pictures(images=IMAGES):
    return {f"{index:040d}".encode(): webp(image) for index, image in enumerate(images)}


def opened(path, tmp_path, **options):
    return open_source(SourceSpec(str(path), **options), tmp_path / "scratch")


def same(records, images=IMAGES, split=None):
    assert np.array_equal(np.stack([record.pixels for record in records]), images)
    assert {(record.label, record.split) for record in records} == {(-1, split)}
    return True


def test_values_are_images_in_the_order_of_their_keys(tmp_path):
    folder = database(tmp_path / "set", dict(reversed(pictures().items())))
    for path in (folder, folder / "data.mdb"):
        source = opened(path, tmp_path)
        assert (source.kind, source.class_names, source.has_split, len(source)) == ("lmdb", (), False, 9)
        records = list(read_all(source))
        assert same(records)
        assert records[0].path == "data.mdb/" + "0" * 40
    assert opened(folder, tmp_path, kind="lmdb").kind == "lmdb"


def test_databases_of_two_splits(tmp_path):
    database(tmp_path / "lsun" / "bedroom_train_lmdb", pictures())
    database(tmp_path / "lsun" / "bedroom_val_lmdb", pictures(IMAGES ^ 1))
    records = list(read_all(opened(tmp_path / "lsun", tmp_path)))
    assert same(records[:9], split="train")
    assert same(records[9:], IMAGES ^ 1, "test")
    database(tmp_path / "lsun" / "church_train_lmdb", pictures())
    with pytest.raises(DatasetError, match=r"several databases of one split \(bedroom_train_lmdb/data\.mdb"):
        opened(tmp_path / "lsun", tmp_path)


def test_a_database_in_an_archive(tmp_path):
    folder = database(tmp_path / "set", pictures())
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(folder, "set")
    assert same(list(read_all(opened(tmp_path / "a.tar", tmp_path))))


def test_values_that_are_no_images_are_rejected_and_odd_keys_shown(tmp_path):
    values = pictures(IMAGES[:2]) | {b"\xff\n": b"no image", b"num-samples": b"2", b"z": b""}
    found = {record.path: record for record in read_all(opened(database(tmp_path / "set", values), tmp_path))}
    reasons = {path: str(record).partition(": ")[2] for path, record in found.items() if isinstance(record, Reject)}
    assert reasons == {
        "data.mdb/\\xff\\n": "not an image",
        "data.mdb/num-samples": "not an image",
        "data.mdb/z": "empty file",
    }


def test_a_large_database_is_cut_into_parts_that_are_read_anywhere(tmp_path):
    one = webp(IMAGES[0])
    values = {f"{index:06d}".encode(): one for index in range(2 * PART_IMAGES + 50)}
    source = opened(database(tmp_path / "set", values), tmp_path)
    parts = [pickle.loads(pickle.dumps(part)) for part in source.parts()]
    assert [len(part) for part in parts] == [PART_IMAGES, PART_IMAGES, 50]
    assert len({part.identity() for part in parts}) == 3
    assert [part.identity() for part in opened(tmp_path / "set", tmp_path).parts()] == [p.identity() for p in parts]
    paths = [record.path for part in reversed(parts) for record in part.read()]
    assert sorted(paths) == [f"data.mdb/{key.decode()}" for key in sorted(values)]


def test_a_database_that_changes_or_goes_away_makes_rejects(tmp_path):
    source = opened(database(tmp_path / "set", pictures()), tmp_path)
    with lmdb.open(str(tmp_path / "set"), map_size=2**26) as made, made.begin(write=True) as writing:
        writing.put(b"more", b"x" * 9000)
    assert [str(record) for record in read_all(source)] == [
        f"data.mdb/{index}: cannot be read (it was changed meanwhile)" for index in range(9)
    ]
    (tmp_path / "set" / "data.mdb").unlink()
    assert {record.reason for record in read_all(source)} == {"cannot be read"}


def test_an_empty_database_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="is an empty LMDB database"):
        opened(database(tmp_path / "set", {}), tmp_path)


def test_the_library_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    folder = database(tmp_path / "set", pictures())
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(DatasetError, match=r"is an LMDB database: run pip install 'ganflow\[lmdb\]'"):
        opened(folder, tmp_path)


READ = """
import sys
from pathlib import Path
from gan.data.records import read_all
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.errors import DatasetError
for path in sys.argv[1:]:
    try:
        print(len(list(read_all(open_source(SourceSpec(path), Path(path).parent / "scratch")))))
    except DatasetError as error:
        print("refused", str(error).count("\\n"))
"""


def test_a_damaged_database_never_ends_the_process(tmp_path):
    good = (database(tmp_path / "set", pictures() | {b"big": b"x" * 90_000}) / "data.mdb").read_bytes()
    dice = random.Random(5)
    paths = []
    for number in range(80):
        data = bytearray(good)
        for _ in range(dice.choice([1, 3, 10])):
            at = dice.randrange(len(data) // 4096) * 4096 + dice.choice([0, 8, 10, 12, 14, 16, 20, 24, 40, 60, 72])
            data[at : at + 4] = dice.choice([b"\0\0\0\0", b"\xff\xff\xff\x7f", dice.randbytes(4)])
        paths.append(tmp_path / f"{number}.mdb")
        paths[-1].write_bytes(data[: dice.randrange(len(data))] if number % 6 == 0 else data)
    done = subprocess.run([sys.executable, "-c", READ, *map(str, paths)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 80
    assert set(lines) <= {"10", "refused 0"}
    assert "refused 0" in lines
