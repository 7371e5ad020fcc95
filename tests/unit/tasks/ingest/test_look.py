"""The page about a source before it is ingested."""

from html.parser import HTMLParser

import numpy as np

from gan.data.building.file_counts import FileCounts
from gan.data.building.preview import Preview
from tasks.ingest.look import look_html

ODD = "<script>alert(1)</script>\x1b[31m"


class Words(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def found(**changes):
    values = {
        "name": "pets",
        "kind": "folder",
        "records": 31,
        "classes": 2,
        "counts": {"train": {"cat": 20, "dog": 4}, "test": {"cat": 6}},
        "rejects": {"no known sort of image": 1},
        "files": FileCounts(33, 30, {"documents": 2}, 1),
        "asked": {"exclude": ("*.bak",)},
        "sampled": 10,
        "unreadable": {"not an image": 2},
        "sides": (60, 90, 200),
        "values": {"16-bit images": (0, 4095)},
        "resolution": 64,
        "notes": ("a note",),
    }
    return Preview.model_validate(values | changes)


def test_what_was_found_with_pictures_of_each_class():
    page = Words(look_html(found(), {"cat": np.zeros((3, 64, 64, 3), np.uint8)}))
    for part in (
        "train 24", "test 6", "classes 2", "a note", "image files", "30 images, 2 documents, 1 rejected",
        "--exclude *.bak", "60 to 200 pixels, median 90", "Values of 16-bit images 0 to 4095",
        "for 1 of 2 classes, cropped as they would be, at 64 × 64 pixels", "total 24 6 30",
        "those of the 10 images that were read", "not an image 2", "total 3",
    ):  # fmt: skip
        assert part in page.text, part
    assert page.tags.count("img") == 3


def test_without_splits_classes_or_anything_to_see():
    nothing = found(classes=0, counts={"all": {"unlabelled": 30}}, rejects={}, unreadable={}, sides=None, values={})
    page = Words(look_html(nothing, {}))
    for part in ("images 31", "none some are held out by the hash", "images have no labels", "No image of those"):
        assert part in page.text, part
    assert "Rejected files" not in page.text
    assert "Images per class" in page.text
    assert "Images per class" not in Words(look_html(found(counts={}), {})).text


def test_names_are_no_more_than_text():
    odd = {"train": {ODD: 9}}
    page = look_html(found(name=ODD, counts=odd, notes=(ODD,)), {ODD: np.zeros((1, 8, 8, 1), np.uint8)})
    assert "script" not in Words(page).tags
    assert "\x1b" not in page
