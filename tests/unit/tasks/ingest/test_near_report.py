"""Near duplicates on the page of an ingest, and as a list."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from gan.data.building.build import Built
from gan.data.building.near import SHOWN, NearDuplicates, NearPair
from gan.data.store.dataset import DatasetInfo
from tasks.ingest.near_report import write_pairs
from tasks.ingest.report import report_html

HOSTILE = "<script>alert(1)</script>.png"


class Page(HTMLParser):
    """The words of a page, and its pictures with the sizes of what they hold."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.words, self.pictures, self.tags = "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attributes)["alt"])

    def handle_data(self, data):
        self.words += data


def pair(first, second, *, splits=("train", "train"), labels=("cat", "cat"), score=0.1, alike=0.95, paths=None):
    paths = paths or (f"{first}.png", f"{second}.png")
    return NearPair((first, second), paths, splits, labels, score, alike)


def near(pairs, beyond=(), dropped=None, threshold=0.4):
    records = sorted({record for each in (*pairs, *beyond) for record in each.records})
    images = np.random.default_rng(0).integers(0, 256, (len(records), 8, 8, 3), np.uint8)
    return NearDuplicates(
        threshold, tuple(pairs), tuple(beyond), dropped or {}, dict(zip(records, images, strict=True))
    )


def page(found, **changes):
    info = DatasetInfo(
        **{
            "name": "animals",
            "source_kind": "folder",
            "resolution": 8,
            "channels": 3,
            "class_names": ("cat", "dog"),
            "crop": "centre",
            "filter": "lanczos",
            "background": "#ffffff",
            "class_map": {},
            "split": "hash",
            "holdout_fraction": 0.1,
            "num_train": 90,
            "num_test": 10,
            "counts": {"train": {"cat": 45, "dog": 45}, "test": {"cat": 5, "dog": 5}},
            "mean": (0.1, 0.2, 0.3),
            "std": (0.25, 0.25, 0.125),
            "rejects": {},
        }
        | changes
    )
    samples = {name: np.zeros((1, 8, 8, 3), np.uint8) for name in info.class_names}
    return Page(report_html(Built(info, samples, (), (5, 60, 900), 0, near=found), "f" * 32, Path("nowhere.jsonl")))


PAIRS = (
    pair(1, 2),
    pair(3, 4, labels=("cat", "dog"), splits=("test", "train"), score=0.2),
    pair(5, 6, splits=("test", "train"), score=0.3, paths=(HOSTILE, "6.png")),
)
BEYOND = (pair(7, 8, score=0.2, alike=0.5), pair(9, 10, score=0.41))


def test_each_pair_is_shown_where_it_belongs_with_both_numbers():
    shown = page(near(PAIRS, BEYOND, {2: ("near duplicate", 1)}))
    assert "3 pairs of images are nearly equal: 1 within a class, 1 with labels that contradict each other, 2 of" in (
        shown.words
    )
    assert "--drop-near-duplicates would drop 1 of the images to train on, none held out" in shown.words
    titles = ["Labels that contradict each other: 1", "Between the splits: 1", "Within a class: 1", "Not taken for"]
    places = [shown.words.index(title) for title in titles]
    assert places == sorted(places)
    assert "at most 0.40" in shown.words
    for told in ("0.200, 0.95", "0.410, 0.95", "0.200, 0.50: their pixels differ"):
        assert told in shown.words
    alts = [alt for alt in shown.pictures if "image" not in alt]
    assert alts == [f"{n}.png" if n != 5 else HOSTILE for n in (3, 4, 5, 6, 1, 2, 7, 8, 9, 10)]
    assert "script" not in shown.tags
    assert ", dropped" not in shown.words


def test_those_that_were_dropped_are_marked():
    shown = page(near(PAIRS, (), {2: ("near duplicate", 1)}), near_duplicates=0.4, rejects={"near duplicate": 1})
    assert "Dropped are 1 of the images to train on; those held out all stay" in shown.words
    assert shown.words.count(", dropped") == 1
    assert "nearly equal to an image of its class that is kept" in shown.words


def test_of_many_pairs_the_nearest_are_shown_and_the_list_named():
    shown = page(near([pair(2 * n, 2 * n + 1, score=n / 1000) for n in range(100)]))
    assert len([alt for alt in shown.pictures if "image" not in alt]) == 2 * SHOWN
    assert "near-duplicates.jsonl has all" in shown.words


def test_a_page_says_that_there_are_none_or_that_nobody_looked():
    assert "No two images are nearly equal" in page(near([])).words
    unlooked = page(None).words
    assert "not looked for" in unlooked
    assert "ganflow ingest --near-duplicates looks for them" in unlooked


def test_a_threshold_that_images_could_not_tell_is_said():
    assert "as low as it gets" in page(near(PAIRS, threshold=0.1)).words
    assert "as low as it gets" not in page(near(PAIRS)).words


def test_the_list_has_every_pair_and_only_those(tmp_path):
    write_pairs(tmp_path / "near.jsonl", near(PAIRS, BEYOND, {2: ("near duplicate", 1)}))
    lines = [json.loads(line) for line in (tmp_path / "near.jsonl").read_text("utf-8").splitlines()]
    assert [line["paths"] for line in lines] == [["1.png", "2.png"], ["3.png", "4.png"], [HOSTILE, "6.png"]]
    assert lines[0] == {
        "paths": ["1.png", "2.png"],
        "splits": ["train", "train"],
        "labels": ["cat", "cat"],
        "droppable": [False, True],
        "score": 0.1,
        "correlation": 0.95,
    }
