"""Finished parts on disk: what is there, what is missing, and columns over all of them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan.configuration.config import DataConfig
from gan.data.building.encode import SCHEMA
from gan.data.building.part_store import PartStore
from gan.data.records import Reject

CONFIG = DataConfig(resolution=4)


def table(rows):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
    return sink.getvalue().to_pybytes()


def test_what_is_done_is_found_again_and_all_else_is_removed(tmp_path):
    store = PartStore(tmp_path / "work", ["a", "b", "c"])
    assert store.missing() == [0, 1, 2]
    store.put(1, b"b")
    store.put(2, b"c")
    (tmp_path / "work" / "d.partial").write_bytes(b"half")
    (tmp_path / "work" / "folder").mkdir()
    (tmp_path / "work" / "folder" / "file").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    (tmp_path / "work" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert PartStore(tmp_path / "work", ["x", "b", "c"]).missing() == [0]
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"b.arrow", "c.arrow"}
    assert PartStore(tmp_path / "work", ["b"]).missing() == []
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"b.arrow"}
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_half_a_table_never_counts_as_done(tmp_path, monkeypatch):
    store = PartStore(tmp_path, ["a"])
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        store.put(0, b"all of it")
    assert store.missing() == [0]
    assert PartStore(tmp_path, ["a"]).missing() == [0]
    assert list(tmp_path.iterdir()) == []


def test_columns_run_through_all_parts_and_have_zeros_where_there_is_no_image(tmp_path, noise, stored):
    records = [Reject("x", "empty file", "why"), *(noise(seed, label=seed + 5) for seed in range(4))]
    store = stored([records[0], *records[1:], Reject("y", "broken image")], tmp_path, CONFIG, part=2)
    assert store.column("label").tolist() == [0, 5, 6, 7, 8, 0]
    assert store.column("channels").tolist() == [0, 1, 1, 1, 1, 0]
    digests = store.column("sha256")
    assert digests.dtype == "S32"
    assert [bool(digest) for digest in digests] == [False, True, True, True, True, False]
    assert store.column("sums").shape == (6, 6)
    assert not store.column("sums")[[0, 5]].any()
    assert store.values("reason", np.array([5, 0])) == ["broken image", "empty file"]
    assert store.values("detail", np.array([0, 5])) == ["why", ""]
    assert store.values("path", np.array([], np.int64)) == []


def test_a_part_of_rejects_alone_has_columns_too(tmp_path, stored):
    store = stored([Reject(str(index), "empty file") for index in range(5)], tmp_path, CONFIG, part=3)
    for name in ("label", "key", "channels", "split", "width"):
        assert store.column(name).tolist() == [0] * 5
    assert store.column("sums").tolist() == [[0] * 6] * 5
    assert store.column("sha256").tolist() == [b""] * 5


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6), data=st.data())
def test_records_are_taken_in_any_order_and_as_often_as_asked(tmp_path_factory, sizes, data):
    store = PartStore(tmp_path_factory.mktemp("work"), [f"k{at}" for at in range(len(sizes))])
    names = iter(range(sum(sizes)))
    for index, size in enumerate(sizes):
        store.put(index, table([{"path": str(next(names))} for _ in range(size)]))
    wanted = data.draw(st.lists(st.integers(0, sum(sizes) - 1), max_size=12))
    assert store.values("path", np.array(wanted, np.int64)) == [str(record) for record in wanted]


def test_tables_are_mapped_and_not_read(tmp_path):
    store = PartStore(tmp_path, ["a"])
    store.put(0, table([{"label": label, "channels": 1, "png": bytes(2**22)} for label in range(4)]))
    default = pa.default_memory_pool()
    watched = pa.proxy_memory_pool(default)
    pa.set_memory_pool(watched)
    try:
        assert store.column("label").tolist() == [0, 1, 2, 3]
        assert store.values("label", np.array([3, 0])) == [3, 0]
        assert watched.max_memory() < 2**20  # of 16 MiB
        assert len(store.values("png", np.array([2]))[0]) == 2**22
        assert watched.max_memory() < 2**24
    finally:
        pa.set_memory_pool(default)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: b"\0" + data[1:]])
def test_a_part_that_a_disk_altered_is_made_again(tmp_path, damage):
    store = PartStore(tmp_path, ["a"])
    store.put(0, b"all of it")
    assert store.missing() == []
    store.path(0).write_bytes(damage(store.path(0).read_bytes()))
    assert store.missing() == [0]
