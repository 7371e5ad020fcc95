"""The list of rejects."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from gan.configuration.config import DataConfig
from gan.data.building import rejects as module
from gan.data.building.plan import make_plan
from gan.data.building.rejects import count_reasons, count_rejects, read_rejects, write_rejects
from gan.data.records import Reject, SourceImage
from gan.errors import DatasetError

CONFIG = DataConfig(resolution=8, holdout_fraction=0.3, min_class_images=2, max_aspect=4)


@pytest.fixture
def decided(noise, stored, tmp_path):
    """A collection with every sort of reject, and what is decided about it."""
    images = [noise(seed, split="train" if seed % 2 else "test", label=0) for seed in range(12)]
    records = [
        Reject("«ö».png", "empty file"),
        *images[:6],
        Reject("line\nbreak.png", "broken image", "OSError: why"),
        *images[6:],
        replace(images[3], path="copy.png"),
        replace(images[3], path="other.png", label=1),
        replace(images[0], path="held out.png", split="train"),
        noise(99, label=2, split="train", path="lonely.png"),
        noise(98, label=0, split="train", shape=(1, 1), path="tiny.png"),
        SourceImage("long.png", 0, noise(1, shape=(40, 9)).pixels, "train"),
        SourceImage("blank.png", 0, noise(1).pixels * 0, "train"),
    ]
    store = stored(records, tmp_path / "work", CONFIG)
    return store, make_plan(store, CONFIG, ("a", "b", "c"), True)


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_reject_is_listed_once_with_its_reason_in_the_order_of_the_source(decided, tmp_path):
    path = tmp_path / "ingests" / "rejects.jsonl"
    write_rejects(path, *decided)
    assert [(line["path"], line["reason"], line["detail"]) for line in lines_of(path)] == [
        ("«ö».png", "empty file", ""),
        ("line\nbreak.png", "broken image", "OSError: why"),
        ("copy.png", "duplicate", "of 003.png"),
        ("other.png", "duplicate with another label", "of 003.png"),
        ("held out.png", "in the holdout too", "of 000.png"),
        ("lonely.png", "class with too few images", ""),
        ("tiny.png", "too small", "1x1 pixels, where 2 a side are wanted"),
        ("long.png", "too long and thin", "9x40 pixels"),
        ("blank.png", "blank", "every pixel is the same"),
    ]


def test_counts_are_those_of_the_list_in_alphabetical_order(decided, tmp_path):
    write_rejects(tmp_path / "rejects.jsonl", *decided)
    counts = count_rejects(*decided)
    assert counts == Counter(line["reason"] for line in lines_of(tmp_path / "rejects.jsonl"))
    assert len(counts) > 7
    assert list(counts) == sorted(counts)


def test_the_list_and_its_counts_are_the_same_however_they_are_batched(decided, tmp_path, monkeypatch):
    write_rejects(tmp_path / "one", *decided)
    counts = count_rejects(*decided)
    monkeypatch.setattr(module, "_BATCH", 2)
    write_rejects(tmp_path / "two", *decided)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert count_rejects(*decided) == counts


def test_the_first_of_many_are_read(decided, tmp_path):
    write_rejects(tmp_path / "rejects.jsonl", *decided)
    rejects = [Reject(**line) for line in lines_of(tmp_path / "rejects.jsonl")]
    assert read_rejects(tmp_path / "rejects.jsonl", 3) == rejects[:3]
    assert read_rejects(tmp_path / "rejects.jsonl", 100) == rejects


def test_nothing_rejected_makes_an_empty_list_over_an_old_one(noise, stored, tmp_path):
    (tmp_path / "rejects.jsonl").write_text("old")
    store = stored([noise(seed, label=0) for seed in range(9)], tmp_path / "work", CONFIG)
    plan = make_plan(store, CONFIG, ("a",), False)
    write_rejects(tmp_path / "rejects.jsonl", store, plan)
    assert (tmp_path / "rejects.jsonl").read_text() == ""
    assert count_rejects(store, plan) == {}
    assert {path.name for path in tmp_path.iterdir()} == {"rejects.jsonl", "work"}


@pytest.mark.parametrize(
    "line",
    [
        b"\xff",
        b"{",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"path": 1, "reason": "", "detail": ""}',
        b'{"path": "a", "b": ""}',
    ],
)
def test_a_damaged_list_is_refused(tmp_path, line):
    (tmp_path / "rejects.jsonl").write_bytes(b'{"path": "a", "reason": "b", "detail": "c"}\n' + line)
    for read in (lambda path: read_rejects(path, 50), count_reasons):
        with pytest.raises(DatasetError, match=r"rejects\.jsonl is damaged: remove it and ingest again"):
            read(tmp_path / "rejects.jsonl")
