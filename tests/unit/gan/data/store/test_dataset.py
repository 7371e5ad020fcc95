"""`dataset.json`."""

import json

import pytest
from pydantic import ValidationError

from gan.data.store.dataset import INFO_FILE, DatasetInfo, read_dataset_info, write_dataset_info
from gan.errors import DatasetError

INFO = DatasetInfo(
    name="ünï",
    source_kind="folder",
    resolution=8,
    channels=3,
    class_names=("a", "b"),
    crop="pad",
    filter="box",
    background="#00ff00",
    class_map={"c": "a", "d": None},
    split="hash",
    holdout_fraction=0.1,
    num_train=5,
    num_test=2,
    counts={"train": {"a": 3, "b": 2}, "test": {"a": 1, "b": 1}},
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 0.6),
    rejects={"blank": 2, "duplicate": 1},
)


def test_what_was_written_comes_back_and_reads_as_text(tmp_path):
    write_dataset_info(INFO, tmp_path)
    assert read_dataset_info(tmp_path) == INFO
    text = (tmp_path / INFO_FILE).read_text("utf-8")
    assert '"name": "ünï"' in text
    assert text.endswith("}\n")
    assert (INFO.num_classes, INFO.num_rejects) == (2, 3)


def test_a_missing_or_malformed_info_is_explained(tmp_path):
    with pytest.raises(DatasetError, match=r"no dataset at .* run `ganflow ingest digits`"):
        read_dataset_info(tmp_path)
    for data in (b'{"name": "x"}', b"\xff{", b"", b"[]", b'{"name": ' + b"[" * 100_000):
        (tmp_path / INFO_FILE).write_bytes(data)
        with pytest.raises(DatasetError, match="is malformed"):
            read_dataset_info(tmp_path)


@pytest.mark.parametrize("change", [{"format_version": 1}, {"channels": 2}, {"rejected": []}, {"resolution": None}])
def test_another_format_is_refused(tmp_path, change):
    write_dataset_info(INFO, tmp_path)
    path = tmp_path / INFO_FILE
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change))
    with pytest.raises(DatasetError, match=rf"malformed \({next(iter(change))}: .* ingest the dataset again"):
        read_dataset_info(tmp_path)


def test_it_cannot_be_changed():
    with pytest.raises(ValidationError):
        INFO.name = "other"


def test_what_is_said_of_the_images_is_written_and_nothing_where_nothing_is(tmp_path):
    told = {"licence": "CC-BY-4.0", "source_url": "https://a", "credit": "Ä", "description": "cats"}
    write_dataset_info(INFO.model_copy(update=told), tmp_path)
    assert read_dataset_info(tmp_path).origin.model_dump() == told
    assert list(json.loads((tmp_path / INFO_FILE).read_text("utf-8")))[3:7] == list(told)
    write_dataset_info(INFO, tmp_path)
    assert not json.loads((tmp_path / INFO_FILE).read_text("utf-8")).keys() & told.keys(), "the bytes of before"
    assert set(read_dataset_info(tmp_path).origin.model_dump().values()) == {None}


def test_windows_are_written_as_whole_numbers_where_they_are_and_not_at_all_where_there_are_none(tmp_path):
    told = {"window": "auto", "windows": {"float": (0.25, 1.5), "unsigned": (0, 4095)}}
    write_dataset_info(INFO.model_copy(update=told), tmp_path)
    said = json.loads((tmp_path / INFO_FILE).read_text("utf-8"))
    assert (said["window"], said["windows"]) == ("auto", {"float": [0.25, 1.5], "unsigned": [0, 4095]})
    assert '"unsigned": [\n      0,\n      4095\n' in (tmp_path / INFO_FILE).read_text("utf-8")
    assert read_dataset_info(tmp_path).windows == told["windows"]
    write_dataset_info(INFO, tmp_path)
    assert not json.loads((tmp_path / INFO_FILE).read_text("utf-8")).keys() & told.keys(), "the bytes of before"


def test_what_a_person_asked_for_is_written_where_anything_was(tmp_path):
    asked = {"classes_from": "2", "exclude": ("a/*", "b")}
    write_dataset_info(INFO.model_copy(update={"asked": asked}), tmp_path)
    assert read_dataset_info(tmp_path).asked == asked
    write_dataset_info(INFO, tmp_path)
    assert "asked" not in json.loads((tmp_path / INFO_FILE).read_text("utf-8"))
