"""A column, or a place in a list, per class."""

import json

import pytest

from gan.data.sources.labels.files import parse_labels
from gan.errors import DatasetError


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("image,MEL,NV\na,1.0,0.0\nb,0.0,1.0\n", {"a": "MEL", "b": "NV"}),
        ("NV,image,MEL\n1,a.png,0\n0,b.png,1\n", {"a.png": "NV", "b.png": "MEL"}),
        ("filename, cat, dog\na.png,0,0\nb.png,1,0\n", {"a.png": None, "b.png": "cat"}),
        ("image,label,x,y\na.png,dog,1,0\nb.png,cat,0,1\n", {"a.png": "dog", "b.png": "cat"}),
    ],
)
def test_the_column_that_is_one_names_the_class(text, labels):
    found = parse_labels("labels.csv", text.encode())
    assert {path: found.class_names[label] if label >= 0 else None for path, label in found.labels.items()} == labels


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,a,b\nx.png,1,0\ny.png,1,1\n", "labels.csv, line 3: not one class of 2"),
        ("image,a,b\nx.png,1,0\ny.png,0.5,0\n", "labels.csv, line 3: not one class of 2"),
        ("image,a,b\nx.png,1,red\n", "no label in the columns"),
    ],
)
def test_several_or_a_share_are_no_class(text, words):
    with pytest.raises(DatasetError, match=words):
        parse_labels("labels.csv", text.encode())


def test_vectors_of_stylegan():
    rows = [["a.png", [0, 1, 0]], ["b.png", [1.0, 0.0, 0.0]], ["c.png", 2]]
    found = parse_labels("dataset.json", json.dumps({"labels": rows}).encode())
    assert {path: found.class_names[label] for path, label in found.labels.items()} == {
        "a.png": "1",
        "b.png": "0",
        "c.png": "2",
    }
    for vector in ([0, 0], [1, 1], [0.5, 0.5], [1], [[1, 0]], [True, False]):
        with pytest.raises(DatasetError, match=r"entry 1 of labels: the label is neither text nor a whole number"):
            parse_labels("dataset.json", json.dumps({"labels": [["a.png", vector]]}).encode())


@pytest.mark.parametrize("label", ["true", "false"])
def test_truth_is_a_class_in_every_format(label):
    found = parse_labels("labels.json", f'[{{"file": "a", "label": {label}}}]'.encode())
    assert found.class_names == (label.title(),)
