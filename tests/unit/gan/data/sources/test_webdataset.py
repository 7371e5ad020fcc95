"""WebDataset tars, whole and broken."""

import io
import pickle
import tarfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.data.files.archive import NAME_TWICE, tar_tree, zip_tree
from gan.data.records import Reject, SourceImage, read_all
from gan.data.sources.webdataset import WebDatasetSource, is_webdataset
from gan.errors import DatasetError

WHITE = (255, 255, 255)


def colour(seed):
    return np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)


def png(seed):
    out = io.BytesIO()
    Image.fromarray(colour(seed)).save(out, "PNG")
    return out.getvalue()


def write_tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def make(tmp_path, **tars):
    tmp_path.mkdir(exist_ok=True)
    paths = [write_tar(tmp_path / f"{name}.tar", members) for name, members in tars.items()]
    return WebDatasetSource([tar_tree(path, str(path)) for path in paths], "set", WHITE)


def records(source):
    found = list(read_all(source))
    assert len(found) == len(source) == sum(map(len, source.parts()))
    return found


def same(record, seed, path, label=-1, split=None):
    assert isinstance(record, SourceImage), record
    assert np.array_equal(record.pixels, colour(seed))
    assert (record.path, record.label, record.split) == (path, label, split)
    return True


def test_numbers_in_cls_are_classes_in_numeric_order(tmp_path):
    members = {"a.cls": b"10", "a.png": png(0), "b.png": png(1), "b.cls": b" 9\n", "c.png": png(2), "c.cls": b"-1"}
    source = make(tmp_path, shard=members)
    assert (source.name, source.kind, source.has_split) == ("set", "webdataset", False)
    assert source.class_names == ("9", "10")
    first, second, third = records(source)
    assert same(first, 0, "shard/a.png", 1)
    assert same(second, 1, "shard/b.png", 0)
    assert same(third, 2, "shard/c.png")
    (part,) = source.parts()
    assert [each.path for each in pickle.loads(pickle.dumps(part)).read()] == [first.path, second.path, third.path]


def test_texts_in_json_are_classes_in_their_order_and_cls_goes_first(tmp_path):
    members = {
        "a.0.jpg": png(0),
        "a.json": b'{"caption": "x", "label": "dog"}',
        "sub/b.image.png": png(1),
        "sub/b.meta.JSON": b'{"target": "cat"}',
        "c.png": png(2),
        "c.json": b'{"label": "dog"}',
        "c.cls": b"cat",
        "d.png": png(3),
        "d.json": b'{"class": null, "cls": 7.0}',
    }
    source = make(tmp_path, shard=members)
    assert source.class_names == ("7", "cat", "dog")
    assert [(record.path, record.label) for record in records(source)] == [
        ("shard/a.0.jpg", 2),
        ("shard/c.png", 1),
        ("shard/d.png", 0),
        ("shard/sub/b.image.png", 1),
    ]


def test_without_labels_there_are_no_classes(tmp_path):
    source = make(tmp_path, shard={"a.png": png(0), "a.txt": b"a cat", "b.png": png(1), "b.json": b'{"url": "x"}'})
    assert source.class_names == ()
    assert same(records(source)[1], 1, "shard/b.png")
    trees = [tar_tree(write_tar(tmp_path / "x.tar", {"a.png": png(0), "a.cls": b"1"}), "x.tar")]
    assert WebDatasetSource(trees, "set", WHITE, use_labels=False).class_names == ()


def test_samples_that_lack_something_are_rejected_with_the_reason(tmp_path):
    members = {
        "README.md": b"about",
        "a.cls": b"1",
        "a.png": png(0),
        "b.png": png(1),
        "c.cls": b"2",
        "d.cls": b"2",
        "d.jpg": png(2),
        "d.png": png(3),
        "e.cls": b"\xff",
        "e.png": png(4),
        "f.json": b"[" * 60_000,
        "f.png": png(5),
        "g.json": b'{"label": [1]}',
        "g.png": png(6),
        "h.cls": b"",
        "h.png": png(7),
        "i.cls": b"-5",
        "i.png": png(8),
        "j.cls": b"1",
        "j.png": b"no image",
        "k.cls": bytes(2**17),
        "k.png": png(9),
    }
    found = {record.path.removeprefix("shard/"): record for record in records(make(tmp_path, shard=members))}
    reasons = {path: str(record).partition(": ")[2] for path, record in found.items() if isinstance(record, Reject)}
    assert reasons == {
        "b.png": "no label in its sample",
        "c.cls": "no image in its sample",
        "d.png": "a second image in its sample",
        "e.png": "broken label (no UTF-8 text)",
        "f.png": "broken label (no JSON)",
        "g.png": "broken label (neither text nor a whole number)",
        "h.png": "broken label (empty file)",
        "i.png": "label out of range (-5)",
        "j.png": "not an image",
        "k.png": reasons["k.png"],
    }
    assert reasons["k.png"].startswith("broken label (too large")
    assert [path for path, record in found.items() if isinstance(record, SourceImage)] == ["a.png", "d.jpg"]


def test_what_a_tar_must_not_give_is_one_reject(tmp_path):
    path = write_tar(tmp_path / "shard.tar", {"a.cls": b"1", "a.png": png(0), "b.cls": b"1"})
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("b.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    first, second = records(WebDatasetSource([tar_tree(path, "shard.tar")], "set", WHITE))
    assert isinstance(first, SourceImage)
    assert second == Reject("shard/b.png", "symbolic link")


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train-000", "train-001", "val-000"], ["train", "train", "test"]),
        (["train-000", "val-000", "test-000"], ["train", "train", "test"]),
        (["train-000", "train-001"], [None, None]),
        (["train-000", "extra-000"], [None, None]),
        (["000", "001"], [None, None]),
    ],
)
def test_names_of_tars_are_splits(tmp_path, names, splits):
    source = make(tmp_path, **{name: {"a.png": png(seed)} for seed, name in enumerate(names)})
    assert source.has_split is (splits[0] is not None)
    found = {record.path: record for record in records(source)}
    for seed, name in enumerate(names):
        assert same(found[f"{name}/a.png"], seed, f"{name}/a.png", -1, splits[seed])
    order = [record.split == "test" for record in found.values()]
    assert order == sorted(order)


def test_tars_of_one_name_are_told_apart_and_folders_are_splits(tmp_path):
    trees = []
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        path = write_tar(tmp_path / split / "0.tar", {"a.png": png(0)})
        trees.append(tar_tree(path, str(path)))
    first, second = records(WebDatasetSource(trees, "set", WHITE))
    assert same(first, 0, "train/0.tar/a.png", -1, "train")
    assert same(second, 0, "test/0.tar/a.png", -1, "test")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "no image was found in the tars of set"),
        ({"a.cls": b"1"}, "no image was found"),
        ({"a.png": b"x", "a.cls": b"0.5"}, "which is no class"),
        ({"a.png": b"x", "a.cls": b"x" * 2000}, "a text and no class"),
    ],
)
def test_tars_without_use_are_explained(tmp_path, members, words):
    with pytest.raises(DatasetError, match=words) as caught:
        make(tmp_path, shard=members)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (["a.png", "a.cls", "b.png", "b.cls"], True),
        (["cat/a.png", "cat/a.cls", "dog/b.png", "dog/b.cls"], True),
        (["a.png", "a.json"], True),
        (["in/a.image.png", "in/a.json", "in/b.image.png", "in/b.json"], True),
        (["cat/a.png", "cat/a.json", "dog/b.png", "dog/b.json"], False),
        (["cat/a.png", "dog/b.png", "metadata.json"], False),
        (["a.png", "b.png", "c.png", "a.json"], False),
        (["a.png", "b.png", "labels.json"], False),
        (["a.png", "a.txt"], False),
        (["a.cls"], False),
        ([], False),
    ],
)
def test_samples_are_told_from_folders(tmp_path, members, expected):
    path = write_tar(tmp_path / "x.tar", dict.fromkeys(members, b"1"))
    assert is_webdataset(tar_tree(path, "x.tar")) is expected


def test_a_zip_is_no_webdataset(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.png", b"x")
        archive.writestr("a.cls", b"x")
    assert not is_webdataset(zip_tree(tmp_path / "x.zip", "x.zip"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_gives_an_explanation_or_rejects_and_nothing_else(tmp_path, data):
    path = tmp_path / "x.tar"
    if not (tmp_path / "whole.tar").exists():
        members = {"a.png": png(0), "a.cls": b"1", "b.png": png(1), "b.json": b'{"label": "cat"}', "c.cls": b"2"}
        write_tar(tmp_path / "whole.tar", members)
    whole = bytearray((tmp_path / "whole.tar").read_bytes()[: 5 * 1024 + 1024])
    places = st.integers(0, len(whole) - 1)
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=5)):
        whole[at] = value
    path.write_bytes(whole[: data.draw(st.one_of(st.just(len(whole)), places))])
    explanation = ""
    try:
        tree = tar_tree(path, "x.tar")
        is_webdataset(tree)
        source = WebDatasetSource([tree], "set", WHITE)
        assert all(isinstance(each, Reject) or each.label < len(source.class_names) for each in records(source))
    except DatasetError as error:
        explanation = str(error)
    assert "\n" not in explanation


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cls=st.binary(max_size=12), text=st.binary(max_size=40))
def test_any_label_gives_a_class_a_reject_or_an_explanation(tmp_path, cls, text):
    path = write_tar(tmp_path / "x.tar", {"a.png": png(0), "a.cls": cls, "b.png": png(1), "b.json": text})
    explanation = ""
    try:
        assert len(records(WebDatasetSource([tar_tree(path, "x.tar")], "set", WHITE))) == 2
    except DatasetError as error:
        explanation = str(error)
    assert "\n" not in explanation


@pytest.mark.parametrize("beside", ["depth.png", "seg.png", "a.mask.png", "png"])
def test_masks_and_depths_are_left_out_and_are_no_rejects(tmp_path, beside):
    members = {}
    for index in range(4):
        members |= {f"{index}.jpg": png(index), f"{index}.{beside}": png(99), f"{index}.cls": b"%d" % (index % 2)}
    source = make(tmp_path, shard=members)
    assert source.notes == (f"4 files that end in .{beside} are left out: they belong to others",)
    for index, record in enumerate(records(source)):
        assert same(record, index, f"shard/{index}.jpg", index % 2)


def test_a_sample_with_a_companion_alone_has_no_image(tmp_path):
    members = {f"{index}.{ending}": png(index) for index in range(3) for ending in ("jpg", "mask.png")}
    found = records(make(tmp_path, shard=members | {"9.mask.png": png(9)}))
    assert [type(record) for record in found] == [SourceImage] * 3 + [Reject]
    assert str(found[3]) == "shard/9.mask.png: no image in its sample"


def test_images_of_samples_that_nothing_tells_apart_are_asked_about(tmp_path):
    members = {f"{index}.{ending}": png(index) for index in range(3) for ending in ("left.jpg", "right.jpg")}
    with pytest.raises(DatasetError, match=r"the samples of set have several images each \(left\.jpg, right\.jpg\)"):
        make(tmp_path, shard=members)


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"label": b"1"}, ".label"),
        ({"txt": b"a cat", "label": b"1"}, ".label; .txt"),
        ({"json": b'{"annotations": {"label": 1}, "url": "x"}'}, ".json with annotations, url"),
        ({"json": b"[1]"}, ".json with no keys"),
    ],
)
def test_what_might_be_meant_for_labels_and_is_not_read_is_named(tmp_path, beside, said):
    members = {f"{index}.jpg": png(index) for index in range(3)}
    members |= {f"{index}.{ending}": data for index in range(3) for ending, data in beside.items()}
    source = make(tmp_path, shard=members)
    assert source.class_names == ()
    (note,) = source.notes
    assert note.startswith(f"the images have no labels: {said} beside them hold none that is read")
    trees = [tar_tree(tmp_path / "shard.tar", "shard.tar")]
    assert is_webdataset(trees[0])
    assert WebDatasetSource(trees, "set", WHITE, use_labels=False).notes == ()


def test_labels_of_json_that_are_true_or_false_are_classes(tmp_path):
    members = {f"{index}.jpg": png(index) for index in range(2)}
    members |= {"0.json": b'{"label": true}', "1.json": b'{"label": false}'}
    assert make(tmp_path, shard=members).class_names == ("False", "True")


def test_of_members_of_one_name_the_earlier_is_a_reject(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, data in (("a.png", png(0)), ("a.cls", b"1"), ("a.png", png(1))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    source = WebDatasetSource([tar_tree(tmp_path / "a.tar", "a.tar")], "set", WHITE)
    image, earlier = records(source)
    assert same(image, 1, "a/a.png", 0)
    assert (earlier.path, earlier.reason) == ("a/a.png", NAME_TWICE)
