"""NumPy's files as a source, as people save them."""

import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.files import archive
from gan.data.records import PART_IMAGES, Reject, read_all
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.data.store.shards import read_split
from gan.errors import DatasetError

COUNT, SIDE = 12, 6
IMAGES = np.random.default_rng(4).integers(0, 256, (COUNT, SIDE, SIDE, 3), np.uint8)
GREY = IMAGES[..., 0]
LABELS = np.arange(COUNT) * 7 % 3
LARGE = np.random.default_rng(5).integers(0, 256, (COUNT, 8, 8, 3), np.uint8)
LARGE[0, 0] = [0, 7, 255]
LARGE_GREY = LARGE[..., 2]


def opened(path, tmp_path, **options):
    return open_source(SourceSpec(str(path), **options), tmp_path / "scratch")


def saved(tmp_path, save=np.savez, name="set.npz", **arrays):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    save(tmp_path / name, **arrays)
    return tmp_path / name


def of(source):
    records = list(read_all(source))
    assert len(records) == len(source) == sum(map(len, source.parts()))
    return records


def same(records, images, labels=None, split=None):
    wanted = images if images.ndim == 4 else images[..., np.newaxis]
    assert np.array_equal(np.stack([record.pixels for record in records]), wanted)
    assert [record.label for record in records] == ([-1] * len(images) if labels is None else list(labels))
    assert {record.split for record in records} == {split}
    return True


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_medmnist_s_names_labels_and_splits(tmp_path, save):
    arrays = {"train_images": IMAGES, "train_labels": LABELS[:, np.newaxis].astype(np.uint8)}
    arrays |= {"val_images": IMAGES[:4] ^ 1, "val_labels": LABELS[:4, np.newaxis]}
    arrays |= {"test_images": IMAGES[:5] ^ 2, "test_labels": LABELS[:5, np.newaxis]}
    source = opened(saved(tmp_path, save, **arrays), tmp_path)
    assert (source.name, source.kind, source.class_names, source.notes) == ("set", "numpy", ("0", "1", "2"), ())
    records = of(source)
    assert source.has_split
    assert same(records[:12], IMAGES, LABELS, "train")
    assert same(records[12:16], IMAGES[:4] ^ 1, LABELS[:4], "train")  # beside a test split it is there to train on
    assert same(records[16:], IMAGES[:5] ^ 2, LABELS[:5], "test")
    assert records[0].path == "train_images/0"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_keras_names(tmp_path, save):
    arrays = {"x_train": GREY, "y_train": LABELS, "x_test": GREY[:4] ^ 1, "y_test": LABELS[:4]}
    records = of(opened(saved(tmp_path, save, **arrays), tmp_path))
    assert same(records[:12], GREY, LABELS, "train")
    assert same(records[12:], GREY[:4] ^ 1, LABELS[:4], "test")


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("X", "Y"), ("arr_0", "arr_1"), ("img", "target")])
def test_one_set_of_images_and_labels(tmp_path, names):
    source = opened(saved(tmp_path, **dict(zip(names, (IMAGES, LABELS), strict=True))), tmp_path)
    assert (source.has_split, source.notes) == (False, ())
    assert same(of(source), IMAGES, LABELS)
    unlabelled = opened(tmp_path / "set.npz", tmp_path, labels="none")
    assert unlabelled.class_names == ()
    assert same(of(unlabelled), IMAGES)


def test_single_arrays_and_arrays_in_folders(tmp_path):
    np.save(tmp_path / "faces.npy", IMAGES)
    os.rename(tmp_path / "faces.npy", tmp_path / "renamed.bin")
    assert same(of(opened(tmp_path / "renamed.bin", tmp_path)), IMAGES)
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "images.npy", IMAGES)
    np.save(tmp_path / "folder" / "labels.npy", LABELS)
    assert same(of(opened(tmp_path / "folder", tmp_path)), IMAGES, LABELS)
    for split in ("train", "test"):
        saved(tmp_path, name=f"two/{split}.npz", images=IMAGES ^ (split == "test"), labels=LABELS)
    records = of(opened(tmp_path / "two", tmp_path))
    assert same(records[:COUNT], IMAGES, LABELS, "train")
    assert same(records[COUNT:], IMAGES ^ 1, LABELS, "test")
    for what, values in {"images": IMAGES, "labels": LABELS}.items():
        (tmp_path / "deep" / what).mkdir(parents=True)
        np.save(tmp_path / "deep" / what / "train.npy", values)
    assert same(of(opened(tmp_path / "deep", tmp_path)), IMAGES, LABELS)


def test_shards_are_one_set(tmp_path):
    for index in range(2):
        some = slice(index * 6, index * 6 + 6)
        saved(tmp_path, name=f"set/train-{index:05d}-of-00002.npz", images=IMAGES[some], labels=LABELS[some])
    assert same(of(opened(tmp_path / "set", tmp_path)), IMAGES, LABELS)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_arrays_within_an_archive(tmp_path, kind):
    inner = saved(tmp_path, np.savez_compressed, images=IMAGES, labels=LABELS)
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
            out.write(inner, "deep/set.npz")
    else:
        with tarfile.open(tmp_path / "a.zip", "w") as out:
            out.add(inner, "deep/set.npz")
    assert same(of(opened(tmp_path / "a.zip", tmp_path)), IMAGES, LABELS)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (IMAGES.transpose(0, 3, 1, 2), IMAGES),
        (GREY[:, np.newaxis], GREY),
        (GREY[..., np.newaxis], GREY),
        (GREY.reshape(COUNT, -1), GREY),
        (np.asfortranarray(IMAGES), IMAGES),
        (IMAGES.astype(">u2"), IMAGES),
        (GREY > 99, (GREY > 99) * np.uint8(255)),
        (GREY[..., np.newaxis].repeat(3, 3), GREY),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_are_understood_however_they_are_stored(tmp_path, stored, read, save):
    assert same(of(opened(saved(tmp_path, save, images=stored), tmp_path)), read)


@pytest.mark.parametrize(
    ("stored", "window", "found", "pixels"),
    [
        (LARGE / 255, "auto", {"float": [0, 1]}, LARGE),
        ((LARGE / 127.5 - 1).astype(np.float32), "auto", {"float": [-1, 1]}, LARGE),
        (LARGE * 1.5, "auto", {"float": [LARGE.min() * 1.5, LARGE.max() * 1.5]}, None),
        (LARGE_GREY.astype(np.int64) * 16, "auto", {"unsigned": [0, 4095]}, np.rint(LARGE_GREY / 4095 * 16 * 255)),
        (LARGE_GREY.astype(np.uint16) * 16, "full", {"unsigned": [0, 65535]}, np.rint(LARGE_GREY / 65535 * 16 * 255)),
        (LARGE_GREY.astype(">u2") * 2, "0:255", {"unsigned": [0, 255]}, np.minimum(LARGE_GREY * 2.0, 255)),
        (LARGE_GREY.astype(np.int16) - 128, "-128:127", {"signed": [-128, 127]}, LARGE_GREY),
        (LARGE_GREY.astype(np.float16) / 100, "p0:p100", {"float": None}, None),
    ],
)
def test_other_values_are_shown_by_one_window_of_the_dataset_which_is_recorded(tmp_path, stored, window, found, pixels):
    source = opened(saved(tmp_path, train_images=stored[:8], test_images=stored[8:]), tmp_path)
    config = DataConfig(resolution=8, window=window, min_side=1)
    built = build_dataset(source, config, tmp_path / "data", work=tmp_path / "work", quarantine=tmp_path / "q")
    ((group, bounds),) = built.info.windows.items()
    assert (built.info.window, {group}) == (window, found.keys())
    assert found[group] is None or list(bounds) == found[group]
    if pixels is not None:
        read = [
            image for split in ("train", "test") for batch, _ in read_split(tmp_path / "data", split) for image in batch
        ]
        wanted = pixels.reshape(COUNT, 8, 8, -1).astype(np.uint8)
        assert {image.tobytes() for image in read} == {image.tobytes() for image in wanted}


def test_an_image_without_a_number_is_a_reject(tmp_path):
    images = LARGE_GREY / 255
    images[3] = np.nan
    source = opened(saved(tmp_path, images=images), tmp_path)
    config = DataConfig(resolution=8, min_side=1, holdout_fraction=0.3, max_reject_share=0.5)
    built = build_dataset(source, config, tmp_path / "data", work=tmp_path / "work", quarantine=tmp_path / "q")
    assert built.info.rejects == {"no value is a number": 1}


@pytest.mark.parametrize(
    ("labels", "names", "read"),
    [
        (LABELS.astype(np.uint8), ("0", "1", "2"), LABELS),
        (LABELS.astype(float), ("0", "1", "2"), LABELS),
        (LABELS == 1, ("0", "1"), LABELS == 1),
        (np.eye(3)[LABELS], ("0", "1", "2"), LABELS),
        (np.eye(3, dtype=bool)[LABELS], ("0", "1", "2"), LABELS),
        (np.array(["ant", "bee", "cat"])[LABELS], ("ant", "bee", "cat"), LABELS),
        (np.array([b"ant", b"bee", b"cat"])[LABELS][:, np.newaxis], ("ant", "bee", "cat"), LABELS),
        (LABELS * 5 - 5, ("0", "5"), None),
        (np.where(LABELS == 0, np.nan, LABELS), ("1", "2"), LABELS - 1),
    ],
)
def test_labels_are_understood_however_they_are_stored(tmp_path, labels, names, read):
    source = opened(saved(tmp_path, images=IMAGES, labels=labels), tmp_path)
    assert source.class_names == names
    if read is not None:
        assert same(of(source), IMAGES, read)
        return
    records = of(source)
    assert {(each.reason, each.detail) for each in records if isinstance(each, Reject)} == {
        ("label out of range", "-5")
    }
    assert [each.label for each in records if not isinstance(each, Reject)] == (LABELS[LABELS > 0] - 1).tolist()


def test_names_of_classes_and_arrays_that_are_not_used(tmp_path):
    names = np.array(["cat", "dog", "emu", "fox"])
    more = {"latents": np.zeros((COUNT, 3)), "meta": np.array([{}], object)}
    source = opened(saved(tmp_path, images=IMAGES, labels=LABELS, class_names=names, **more), tmp_path)
    assert source.class_names == tuple(names)
    assert source.notes == ("arrays that are not used: latents, meta",)
    assert same(of(source), IMAGES, LABELS)


def test_several_columns_of_labels_are_none(tmp_path):
    source = opened(saved(tmp_path, images=IMAGES, labels=np.ones((COUNT, 4), int)), tmp_path)
    assert (source.class_names, len(source.notes)) == ((), 1)
    assert "may have several columns set" in source.notes[0]
    assert same(of(source), IMAGES)


def test_images_without_labels_beside_others_are_left_out_and_counted(tmp_path):
    source = opened(saved(tmp_path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:5]), tmp_path)
    assert source.notes == ("5 images of x_test have no labels and are left out",)
    assert same(of(source), IMAGES, LABELS)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": IMAGES, "b": IMAGES}, r"several arrays that may be the images \(a \(12, 6, 6, 3\), b \(12, 6, 6, 3\)\)"),
        ({"images": IMAGES, "x": IMAGES}, "several arrays that may be the images"),
        ({"cat_images": IMAGES, "dog_images": IMAGES}, "several arrays that may be the images"),
        ({"images": IMAGES, "test_images": IMAGES}, "several arrays that may be the images"),
        ({"images": IMAGES, "labels": LABELS, "y": LABELS}, "may be the labels of images .* give --labels none"),
        ({"arr_0": IMAGES, "arr_1": LABELS, "arr_2": LABELS}, "several arrays that may be the labels of arr_0"),
        ({"labels": LABELS}, r"has no array of images \(labels \(12,\)\): call one images"),
        ({"images": IMAGES, "labels": LABELS[:5]}, r"images in .* has 12 images, but labels is of shape \(5,\)"),
        ({"images": IMAGES, "labels": np.array([{}] * COUNT)}, "labels in .* is an array of Python objects, which are"),
        ({"images": np.array([[[{}]]] * COUNT)}, "is an array of Python objects, which are pickled and never read"),
        ({"a": np.array([{}])}, "is an array of Python objects"),
        ({"images": IMAGES[0]}, r"has the shape \(6, 6, 3\), which is no array of images"),
        ({"images": LABELS}, r"has the shape \(12,\), which is no array of images"),
        ({"images": IMAGES[..., :2]}, "which is no array of images"),
        ({"images": IMAGES[:, :0]}, "which is no array of images"),
        ({"images": IMAGES[:0]}, "which is no array of images"),
        ({"images": np.zeros((5, 3, 8, 3), np.uint8)}, "may have its channels first or last"),
        ({"images": IMAGES.reshape(COUNT, -1)}, "may have its channels first or last"),
        ({"train_images": IMAGES / 255, "test_images": IMAGES * 1.0}, "hold values within -1 to 1, others not"),
        ({"train_images": IMAGES, "test_images": IMAGES / 255}, "are of different sorts of numbers"),
        ({"images": np.full((2, 9, 9), "a")}, "is an array of texts"),
        ({"images": IMAGES, "labels": np.arange(COUNT) / 5}, "which is no class"),
    ],
)
def test_what_is_ambiguous_or_unknown_is_refused_in_a_sentence(tmp_path, arrays, words):
    path = saved(tmp_path, **arrays)
    with pytest.raises(DatasetError, match=words) as caught:
        opened(path, tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert str(path) in str(caught.value)


def test_several_sets_in_a_folder_are_asked_about(tmp_path):
    for name in ("pathmnist", "pathmnist_64"):
        saved(tmp_path, name=f"set/{name}.npz", train_images=IMAGES, train_labels=LABELS)
    with pytest.raises(DatasetError, match=r"several arrays .*pathmnist\.npz/train_images.*pathmnist_64\.npz/train_im"):
        opened(tmp_path / "set", tmp_path)


def test_images_beside_arrays_stay_a_folder_of_images(tmp_path):
    from PIL import Image

    (tmp_path / "set").mkdir()
    for index, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / "set" / f"{index:02d}.png")
        np.save(tmp_path / "set" / f"{index:02d}.npy", image)
    assert opened(tmp_path / "set", tmp_path).kind == "folder"
    for index in range(COUNT):
        (tmp_path / "set" / f"{index:02d}.npy").unlink()
    np.save(tmp_path / "set" / "images.npy", IMAGES)
    assert opened(tmp_path / "set", tmp_path).kind == "folder"
    assert same(of(opened(tmp_path / "set", tmp_path, kind="numpy")), IMAGES)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_large_array_is_cut_into_parts_that_are_read_anywhere(tmp_path, save):
    count = 2 * PART_IMAGES + 50
    images = np.random.default_rng(1).integers(0, 256, (count, 5, 5), np.uint8)
    source = opened(saved(tmp_path, save, images=images, labels=np.arange(count)), tmp_path)
    parts = [pickle.loads(pickle.dumps(part)) for part in source.parts()]
    assert [len(part) for part in parts] == [PART_IMAGES, PART_IMAGES, 50]
    assert len({part.identity() for part in parts}) == 3
    assert [part.identity() for part in parts] == [part.identity() for part in source.parts()]
    found = {record.path: record for part in reversed(parts) for record in part.read()}
    assert same([found[f"images/{index}"] for index in range(count)], images, range(count))


def test_values_that_lie_open_are_read_in_place_and_packed_ones_from_one_copy(tmp_path):
    opened(saved(tmp_path, images=IMAGES), tmp_path)
    assert not (tmp_path / "scratch").exists()
    saved(tmp_path, np.savez_compressed, images=IMAGES)
    for _ in range(2):
        opened(tmp_path / "set.npz", tmp_path)
        assert len(list((tmp_path / "scratch").iterdir())) == 1


def test_damage_is_seen_before_anything_is_read_and_what_goes_away_later_is_rejected(tmp_path):
    path = saved(tmp_path, images=IMAGES)
    for images, words in (
        (IMAGES, "is empty or cannot be read"),
        (IMAGES.repeat(20, 0), "cannot be read .broken arch"),
    ):
        data = bytearray(saved(tmp_path, name="bad.npz", images=images).read_bytes())
        data[data.index(images.tobytes()[:50]) + 20] ^= 1
        (tmp_path / "bad.npz").write_bytes(data)
        with pytest.raises(DatasetError, match=rf"images in .*bad\.npz {words}"):
            opened(tmp_path / "bad.npz", tmp_path)
    source = opened(path, tmp_path)
    path.unlink()
    assert {record.reason for record in of(source)} == {"cannot be read"}


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path, np.savez_compressed, images=np.zeros((100, 100, 100), np.uint8))
    monkeypatch.setattr(archive, "HARMLESS_BYTES", 1000)
    with pytest.raises(DatasetError, match="decompression bomb"):
        opened(path, tmp_path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    packed=st.booleans(),
    places=st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 255)), max_size=5),
    cut=st.integers(0, 400),
)
def test_damaged_archives_are_images_or_a_sentence(tmp_path, packed, places, cut):
    save = np.savez_compressed if packed else np.savez
    data = bytearray(saved(tmp_path, save, name="good.npz", images=IMAGES, labels=LABELS).read_bytes())
    for place, value in places:
        data[place % len(data)] = value
    (tmp_path / "bad.npz").write_bytes(data[: len(data) - cut] if cut > 300 else data)
    try:
        records = of(opened(tmp_path / "bad.npz", tmp_path))
    except DatasetError as error:
        records, sentence = [], str(error)
    assert records or sentence.isprintable()


def test_nothing_is_ever_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "opened"),)

    assert same(of(opened(saved(tmp_path, images=IMAGES, extra=np.array([Evil()])), tmp_path)), IMAGES)
    with pytest.raises(DatasetError, match="Python objects"):
        opened(saved(tmp_path, images=np.array([Evil()])), tmp_path)
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DatasetError, match="a Python pickle"):
        opened(tmp_path / "evil.pkl", tmp_path)
    assert not (tmp_path / "opened").exists()
