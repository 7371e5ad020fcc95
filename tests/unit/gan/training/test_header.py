"""A header is read whole and typed, or refused with a sentence; what it writes, it reads."""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import CheckpointError
from gan.training.checkpoint import HASHES, HEADER, load_header, save_checkpoint
from gan.training.header import Header, HeaderError, WarmStartRecord, first_difference

WARM = WarmStartRecord(3, "r", "d")
FULL = Header({"network": {"widths": [8]}}, "h", "abc", 1, 2, ("é", "b"), WARM, 7, {"bf16": False})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
trees = st.dictionaries(st.text(), json_values)
configs = trees.filter(lambda tree: isinstance(tree.get("network", {}), dict))
headers = st.builds(
    Header,
    config=configs,
    class_names=st.lists(st.text()).map(tuple),
    warm_start=st.none() | st.builds(WarmStartRecord),
    cur_nimg=st.integers(),
    choice=trees,
    machine=trees,
)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "checkpoint"
    path.mkdir()
    save_checkpoint(path, FULL, {})
    return path


def put(folder, text):
    """Let a checkpoint have this header, and a list of hashes that says so."""
    (folder / HEADER).write_bytes(text)
    hashes = json.loads((folder / HASHES).read_text())
    (folder / HASHES).write_text(json.dumps(hashes | {HEADER: hashlib.sha256(text).hexdigest()}))


def edited(**changes):
    return json.dumps(json.loads(FULL.to_json()) | changes)


@given(headers)
def test_what_a_header_writes_it_reads(header):
    assert Header.parse(header.to_json(), "it") == header


def test_the_bytes_of_the_file(folder):
    """Hashes of checkpoints that are registered depend on them."""
    record = {"version": 3, "run_id": "r", "dataset_md5": "d"}
    tree = {"config": {"network": {"widths": [8]}}, "warm_start": record, "training_hash": "h", "dataset_md5": "abc"}
    tree |= {"channels": 1, "num_classes": 2, "class_names": ["é", "b"], "cur_nimg": 7, "choice": {"bf16": False}}
    tree |= {"machine": {}}
    text = json.dumps({"format_version": 2} | tree, indent=2, sort_keys=True) + "\n"
    assert (folder / HEADER).read_bytes() == text.encode()
    assert '"warm_start": null' in replace(FULL, warm_start=None).to_json()


def test_a_header_from_before_there_were_warm_starts_is_read():
    tree = json.loads(FULL.to_json())
    del tree["warm_start"]
    assert Header.parse(json.dumps(tree), "it") == replace(FULL, warm_start=None)


def test_a_header_from_before_machines_were_written_down_is_read():
    tree = json.loads(FULL.to_json())
    del tree["machine"]
    assert Header.parse(json.dumps(tree), "it") == FULL
    with pytest.raises(HeaderError, match="nothing sensible as machine"):
        Header.parse(edited(machine=[]), "it")


def test_what_is_said_beside_is_left_out():
    assert Header.parse(edited(more=1), "it") == FULL


@pytest.mark.parametrize("version", [1, 3])
def test_another_format_is_refused_with_both_numbers(folder, version):
    put(folder, json.dumps({"format_version": version}).encode())
    with pytest.raises(CheckpointError, match=f"format {version} but this ganflow reads 2: use the version that wrote"):
        load_header(folder)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"\xff", b"[]", b"3", b'"x"', b"[" * 100_000, b'{"format_version": ' + b"9" * 5000 + b"}"),
        *(b'{"format_version": 2, "config": []}', b'{"format_version": 2, "class_names": [1]}'),
        *(b'{"format_version": 2, "num_classes": "3"}', b'{"format_version": 2, "cur_nimg": null}', b"{}"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(folder, text):
    put(folder, text)
    with pytest.raises(CheckpointError, match="name another") as caught:
        load_header(folder)
    assert isinstance(caught.value, HeaderError)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("config", [["network", {}]]),
        ("training_hash", 3),
        ("dataset_md5", None),
        ("channels", 1.0),
        ("channels", True),
        ("num_classes", "2"),
        ("class_names", "ab"),
        ("class_names", ["a", 3]),
        ("warm_start", False),
        ("warm_start", []),
        ("cur_nimg", False),
        ("choice", None),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(field, wrong):
    with pytest.raises(
        HeaderError, match=f"the header of it says nothing sensible as {field}: name another checkpoint"
    ):
        Header.parse(edited(**{field: wrong}), "it")


@pytest.mark.parametrize(("field", "wrong"), [("version", "3"), ("run_id", None), ("dataset_md5", ["d"])])
def test_a_field_of_a_warm_start_of_another_type_is_refused_by_name(field, wrong):
    record = json.loads(FULL.to_json())["warm_start"]
    with pytest.raises(HeaderError, match=rf"says nothing sensible as warm_start\.{field}: name another"):
        Header.parse(edited(warm_start=record | {field: wrong}), "it")
    del record[field]
    with pytest.raises(HeaderError, match=rf"says no warm_start\.{field}, so no ganflow wrote it"):
        Header.parse(edited(warm_start=record), "it")


def test_networks_that_are_no_section_are_refused_by_name():
    with pytest.raises(HeaderError, match=r"says nothing sensible as config\.network"):
        Header.parse(edited(config={"network": []}), "it")


@pytest.mark.parametrize("field", sorted(set(json.loads(FULL.to_json())) - {"warm_start", "machine"}))
def test_a_header_that_lacks_something_says_so(folder, field):
    tree = json.loads(FULL.to_json())
    del tree[field]
    put(folder, json.dumps(tree).encode())
    with pytest.raises(HeaderError, match=f"says no {field}, so no ganflow wrote it"):
        load_header(folder)


def test_a_checkpoint_says_where_its_run_was():
    assert FULL.at(9, {"bf16": True}) == replace(FULL, cur_nimg=9, choice={"bf16": True})
    assert FULL.at(9, {}, {"torch": "2"}).machine == {"torch": "2"}


def test_a_run_without_classes_names_none():
    assert FULL.label_names == ("é", "b")
    assert replace(FULL, num_classes=0).label_names == ()


@pytest.mark.parametrize(
    ("found", "wanted", "difference"),
    [
        ({}, {}, None),
        ({"a": 1, "b": {"c": [1, 2]}}, {"b": {"c": [1, 2]}, "a": 1}, None),
        ({"a": 1}, {"a": 2}, ("a", 1, 2)),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3, "b": 4}}, ("a.c", 2, 3)),
        ({"a": {"b": {"c": 1.5}}}, {"a": {"b": {"c": None}}}, ("a.b.c", 1.5, None)),
        ({"a": [1, 2]}, {"a": [1, 3]}, ("a", [1, 2], [1, 3])),
        ({"a": {"b": 1}}, {"a": 7}, ("a", {"b": 1}, 7)),
        ({}, {"a": 7}, ("a", None, 7)),
        ({"a": 1, "gone": 2}, {"a": 1}, ("gone", 2, None)),
        ({"x": 1}, {"y": 1}, ("y", None, 1)),
    ],
)
def test_the_first_difference_of_two_trees(found, wanted, difference):
    assert first_difference(found, wanted) == difference
