"""Sets of images out of folders, archives, datasets and releases: one set, whatever holds it."""

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.files import archive
from gan.data.image_sets.image_set import open_image_set
from gan.data.store.shards import read_split, write_shards
from gan.errors import DatasetError, InputError, ResourcesError


def colour(seed, height=6, width=5, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def save(root, images):
    """Write a folder of images: path to pixels, or to the bytes of a file."""
    for path, content in images.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content if isinstance(content, bytes) else png(content))
    return root


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def digest_of(images):
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(each.tobytes()).digest() for each in images))).hexdigest()


def state(root):
    if not os.path.exists(root):  # unlike pathlib's, never raises
        return []
    paths = [root, *sorted(root.rglob("*"))] if root.is_dir() else [root]
    return [(path, path.lstat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in paths]


@pytest.fixture
def opened(tmp_path):
    """Open a set, see that nothing of the source changed, and remove the scratch folder as a caller does."""

    def open_it(path, split=None, **options):
        before = state(path)
        try:
            return open_image_set(path, split=split, scratch=tmp_path / "scratch", **options)
        finally:
            shutil.rmtree(tmp_path / "scratch", ignore_errors=True)
            assert state(path) == before

    return open_it


@pytest.fixture
def refused(opened):
    """Return the one sentence with which a set is refused."""

    def sentence(path, split=None, error=DatasetError):
        with pytest.raises(InputError) as caught:
            opened(path, split)
        assert type(caught.value) is error
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return sentence


@pytest.fixture
def dataset(build, noise, tmp_path):
    """A dataset of 7 + 5 coloured images in two classes, by its source's split."""
    records = [noise(seed, channels=3, shape=(8, 8), split="train" if seed < 7 else "test") for seed in range(12)]
    build(records, tmp_path / "data", DataConfig(resolution=8), class_names=("b", "a"), has_split=True, name="mine")
    return tmp_path / "data"


@pytest.fixture
def holders(dataset, tmp_path):
    """The training images of the dataset in everything that holds a split `train`."""
    ((images, labels),) = read_split(dataset, "train")
    others = np.concatenate([images for images, _ in read_split(dataset, "test")])
    release = tmp_path / "v3-001"
    release.mkdir()
    write_shards(release, "train", images[::-1], labels[::-1], class_names=("b", "a"), extra={"seed": labels})
    (release / "manifest.json").write_text("{}")
    files = {f"test/b/{index}.png": image for index, image in enumerate(others)}
    # The classes the other way round, and so in another order.
    files |= {f"train/{'ba'[label]}/{index}.png": images[index] for index, label in enumerate(labels)}
    save(tmp_path / "outer" / "set", files)
    found = {"dataset": dataset, "release": release, "folder": tmp_path / "outer" / "set"}
    for kind in ("zip", "tar", "gztar"):
        found[kind] = tmp_path / shutil.make_archive(str(tmp_path / "archive"), kind, tmp_path / "outer", "set")
    return found


@pytest.mark.parametrize("kind", ["dataset", "release", "folder", "zip", "tar", "gztar"])
def test_a_set_is_the_same_whatever_holds_it(holders, opened, kind):
    ((images, labels),) = read_split(holders["dataset"], "train")
    found = opened(holders[kind], "train")
    assert found.digest == digest_of(images)
    assert (found.images.dtype, found.images.shape, found.labels.dtype) == (np.uint8, (7, 8, 8, 3), np.int64)
    by_pixels = {image.tobytes(): "ba"[label] for image, label in zip(images, labels, strict=True)}
    assert {
        image.tobytes(): found.class_names[label] for image, label in zip(found.images, found.labels, strict=True)
    } == by_pixels
    names = {"dataset": "mine", "release": "v3-001", "folder": "set"}
    assert found.name == f"{names.get(kind, 'archive')}/train"


@pytest.mark.parametrize("kind", ["dataset", "folder", "zip"])
def test_without_a_split_all_images_are_taken(holders, opened, kind):
    train, test = (
        np.concatenate([batch for batch, _ in read_split(holders["dataset"], each)]) for each in ("train", "test")
    )
    found = opened(holders[kind])
    assert found.digest == digest_of([*train, *test])
    assert (len(found.labels), sorted(found.class_names)) == (12, ["a", "b"])
    assert "/" not in found.name
    if kind == "dataset":
        assert np.array_equal(found.images, np.concatenate([train, test]))
    assert opened(holders[kind], "test").digest == digest_of(test)


def test_a_release_is_taken_whole_and_in_order(holders, opened):
    ((images, labels),) = read_split(holders["release"], "train")
    found = opened(holders["release"])
    assert np.array_equal(found.images, images)
    assert np.array_equal(found.labels, labels)
    assert (found.name, found.class_names) == ("v3-001", ("b", "a"))


def test_a_release_without_classes(opened, tmp_path):
    root = save(tmp_path / "v1-001", {"manifest.json": b"{}"})
    write_shards(root, "train", colour(0)[None], [-1])
    found = opened(root)
    assert (found.class_names, found.labels.tolist()) == ((), [-1])


def test_images_come_in_the_order_of_their_paths(opened, tmp_path):
    paths = ["b/2.png", "a/z/1.PNG", "a/10.png", "a-b/1.png", "a/9.png", "b/.hidden.png", "__MACOSX/a/10.png"]
    root = save(tmp_path / "set", {path: colour(seed) for seed, path in enumerate(paths)} | {"b/notes.txt": b"text"})
    found = opened(root)
    for image, path in zip(found.images, ["a-b/1.png", "a/10.png", "a/9.png", "a/z/1.PNG", "b/2.png"], strict=True):
        assert np.array_equal(image, colour(paths.index(path)))
    assert found.class_names == ("a", "a-b", "b")
    assert found.labels.tolist() == [1, 0, 0, 0, 2]


@pytest.mark.parametrize("colours", [[1, 3, 1], [3, 1, 1], [1, 1, 3], [3, 3, 3]])
def test_grey_images_among_coloured_ones_become_rgb(opened, tmp_path, monkeypatch, colours):
    monkeypatch.setattr("gan.data.image_sets.store._BLOCK_BYTES", 1)  # an image at a time
    images = [colour(seed, channels=channels) for seed, channels in enumerate(colours)]
    found = opened(save(tmp_path / "set", {f"{index}.png": image for index, image in enumerate(images)}))
    as_rgb = np.stack([np.broadcast_to(image, (6, 5, 3)) for image in images])
    assert np.array_equal(found.images, as_rgb)
    assert found.digest == digest_of(as_rgb)


def test_grey_images_stay_grey_and_another_set_than_their_rgb_copies(opened, tmp_path):
    grey = [colour(seed, channels=1) for seed in range(3)]
    # R = G = B is grey, however it was saved.
    files = {f"{index}.png": np.broadcast_to(image, (6, 5, 3)) for index, image in enumerate(grey)}
    found = opened(save(tmp_path / "set", files))
    assert found.images.shape == (3, 6, 5, 1)
    assert found.digest == digest_of(grey)
    assert opened(save(tmp_path / "set", {"3.png": colour(3)})).digest != digest_of([*grey, colour(3)])


def test_the_digest_counts_an_image_as_often_as_it_is_there(opened, tmp_path):
    once = opened(save(tmp_path / "once", {"1.png": colour(0), "2.png": colour(1)}))
    again = opened(save(tmp_path / "again", {"2.png": colour(0), "1.png": colour(1)}))
    twice = opened(save(tmp_path / "twice", {"1.png": colour(0), "2.png": colour(1), "3.png": colour(1)}))
    assert once.digest == again.digest != twice.digest


def test_pixels_lie_in_a_file_without_a_name(tmp_path):
    root = save(tmp_path / "set", {"1.png": colour(0)})
    found = open_image_set(root, scratch=tmp_path / "not" / "there")
    assert isinstance(found.images, np.memmap)
    assert list((tmp_path / "not" / "there").iterdir()) == []
    with pytest.raises(ValueError, match="read-only"):
        found.images[0] = 0
    assert np.array_equal(found.images, colour(0)[None])  # a set of one image is one


def test_two_sets_share_a_scratch_folder(tmp_path):
    roots = [save(tmp_path / name, {"1.png": colour(seed)}) for seed, name in enumerate("ab")]
    found = [open_image_set(root, scratch=tmp_path / "scratch") for root in roots]
    assert [np.array_equal(each.images[0], colour(seed)) for seed, each in enumerate(found)] == [True, True]


@pytest.mark.parametrize("kind", ["dataset", "folder"])
def test_progress_ends_at_all_images(holders, opened, monkeypatch, kind):
    monkeypatch.setattr("gan.data.image_sets.image_set._REPORT_EVERY", 5)
    seen = []
    opened(holders[kind], on_progress=lambda done, total: seen.append((done, total)))
    assert seen == ([(7, 12), (12, 12)] if kind == "dataset" else [(5, 12), (10, 12), (12, 12)])


def test_names_can_be_printed(opened, tmp_path):
    assert opened(save(tmp_path / "a\nb\x1b[31m", {"x\ty/1.png": colour(0)}), "x\ty").name == "a?b?[31m/x?y"
    assert opened(save(tmp_path / ("n" * 99), {"1.png": colour(0)})).name == "n" * 60 + "…"


def test_labels_that_are_called_as_a_dataset_or_release_is(opened, tmp_path):
    root = save(
        tmp_path / "set", {"00000/1.png": colour(0), "manifest.json": b"{}", "dataset.json": b'{"labels": null}'}
    )
    found = opened(root)
    assert (found.digest, found.class_names) == (digest_of([colour(0)]), ())


def test_nothing_there(refused, tmp_path):
    assert refused(tmp_path / "no").startswith(f"there is nothing at {tmp_path}/no: give a folder, zip or tar")
    assert "cannot be read (File name too long)" in refused(tmp_path / ("n" * 300))


@pytest.mark.parametrize("kind", ["empty", "text", "archive"])
def test_no_image(refused, tmp_path, kind):
    root = save(tmp_path / "set", {} if kind == "empty" else {"cat/notes.txt": b"text", ".1.png": colour(0)})
    root.mkdir(exist_ok=True)
    if kind == "archive":
        root = zipped(tmp_path / "set.zip", {"cat/notes.txt": b"text"})
    assert refused(root).startswith(f"no image was found in {root}: give a folder or an archive with files that end in")


def test_a_single_file_that_is_no_archive(refused, tmp_path):
    save(tmp_path, {"1.png": colour(0), "2.txt": b"text"})
    assert refused(tmp_path / "1.png").startswith(f"{tmp_path}/1.png is one image: give the folder")
    assert "is a file, but no zip, tar or Parquet file" in refused(tmp_path / "2.txt")


@pytest.mark.parametrize(("data", "why"), [(b"", "empty file"), (b"text", "not an image")])
def test_an_image_that_cannot_be_read(refused, tmp_path, data, why):
    root = save(tmp_path / "set", {"a/1.png": colour(0), "a/2.png": data})
    assert refused(root).startswith(f"a/2.png in {root} cannot be read ({why}): repair or remove it")
    cut = zipped(tmp_path / "set.zip", {"1.png": png(colour(0))[:-30]})
    assert refused(cut).startswith(f"1.png in {cut} cannot be read (truncated image, OSError)")


def test_images_of_different_sizes(refused, tmp_path):
    root = save(tmp_path / "set", {"a/1.png": colour(0), "b/2.png": colour(1), "c/3.png": colour(2, 5, 6)})
    assert refused(root) == (
        f"the images in {root} are not of one size (a/1.png has 5x6 pixels, c/3.png 6x5): run `ganflow ingest` to make "
        "them one size"
    )


def test_a_refused_set_leaves_no_file_open(tmp_path):
    root = save(tmp_path / "set", {"1.png": colour(0), "2.png": b"text"})
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    with pytest.raises(DatasetError) as caught:
        open_image_set(root, scratch=tmp_path / "scratch")
    assert not before or len(os.listdir("/proc/self/fd")) == before
    assert "2.png" in str(caught.value)  # whose traceback keeps what was open


def test_splits_that_are_not_there(refused, holders, opened, tmp_path):
    names = {"dataset": "name train or test", "release": "name train", "folder": "no folder «val»", "zip": "«val»"}
    for kind, words in names.items():
        sentence = refused(holders[kind], "val", InputError)
        assert f"{holders[kind]} has no" in sentence
        assert words in sentence
    assert "has no split «test»: name train, or no split" in refused(holders["release"], "test", InputError)
    flat = save(tmp_path / "flat", {"train.png": colour(0)})
    assert "has no folder «train» with images" in refused(flat, "train", InputError)
    assert "has no folder «» with images" in refused(flat, "", InputError)


def test_links_are_not_followed(refused, opened, tmp_path):
    save(tmp_path, {"secret/1.png": colour(0), "set/test/a/1.png": colour(0), "image/1.png": colour(0)})
    (tmp_path / "image" / "2.png").symlink_to(tmp_path / "secret" / "1.png")
    sentence = refused(tmp_path / "image")
    assert "2.png in" in sentence
    assert "(symbolic link)" in sentence
    (tmp_path / "set" / "train").symlink_to(tmp_path / "secret")
    sentence = refused(tmp_path / "set")
    assert "train/1.png in" in sentence
    assert "(symbolic link, a linked folder)" in sentence
    assert len(opened(tmp_path / "set", "test").labels) == 1  # beside which the link lies


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "C:\\evil.png"])
@pytest.mark.parametrize("others", [{}, {"good.png": png(colour(0))}])
def test_names_that_lead_out_of_an_archive(refused, tmp_path, name, others):
    path = zipped(tmp_path / "set.zip", {name: png(colour(0)), **others})
    assert "cannot be read (path outside the archive)" in refused(path)
    assert not list(tmp_path.rglob("*.png"))
    with tarfile.open(tmp_path / "set.tar", "w") as out:
        info = tarfile.TarInfo("a/link.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(info)
    sentence = refused(tmp_path / "set.tar")
    assert "a/link.png in" in sentence
    assert "(symbolic link)" in sentence


def test_bombs(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "HARMLESS_BYTES", 10**5)
    assert "decompression bomb" in refused(zipped(tmp_path / "set.zip", {"1.png": bytes(10**6)}))
    (tmp_path / "set.tar.gz").write_bytes(gzip.compress(bytes(10**6)))
    monkeypatch.setattr("gan.data.files.unpack.HARMLESS_BYTES", 10**5)
    assert "decompression bomb" in refused(tmp_path / "set.tar.gz")


def test_more_pixels_than_the_disk_holds(opened, tmp_path, monkeypatch):
    root = save(tmp_path / "set", {f"{index}.png": colour(index) for index in range(4)})
    usage = shutil.disk_usage(tmp_path)
    need = 4 * 6 * 5 * 3 + 2**28
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=need - 1))
    with pytest.raises(ResourcesError, match=f"too little to unpack {root}"):
        opened(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=need))
    assert len(opened(root).labels) == 4


def test_broken_shards(refused, dataset, tmp_path):
    (shard,) = dataset.glob("train-*")
    data = shard.read_bytes()
    at = data.index(hashlib.sha256(next(read_split(dataset, "train"))[0][0].tobytes()).hexdigest().encode())
    shard.write_bytes(data[:at] + (b"1" if data[at : at + 1] == b"0" else b"0") + data[at + 1 :])
    assert "an image does not have the sha256 beside it" in refused(dataset)
    shard.write_bytes(b"PAR1")
    assert f"{shard} is broken" in refused(dataset, "train")
    shard.unlink()
    assert "has no train-*.parquet" in refused(dataset)
    (dataset / "dataset.json").write_text("{}")
    assert "dataset.json is malformed" in refused(dataset)


def test_shards_that_do_not_belong_together(refused, dataset, tmp_path):
    for path in dataset.glob("test-*"):
        path.unlink()
    write_shards(dataset, "test", colour(0, 8, 9)[None], [0], class_names=("b", "a"))
    assert "the splits in" in refused(dataset)
    for labels in ([2], [-2]):
        write_shards(dataset, "test", colour(0, 8, 8)[None], labels, class_names=("b", "a"))
        assert "has labels that name no class" in refused(dataset, "test")
    info = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(info | {"class_names": []}))
    assert "has labels that name no class" in refused(dataset)


def test_the_sequence_names_the_order(tmp_path):
    """The same images under other names come in another order: one digest, two sequences."""
    pixels = [np.full((4, 4), value, dtype=np.uint8) for value in (10, 200)]
    for folder, names in (("a", ("1", "2")), ("b", ("2", "1")), ("c", ("1", "2"))):
        (tmp_path / folder).mkdir()
        for name, each in zip(names, pixels, strict=True):
            Image.fromarray(each).save(tmp_path / folder / f"{name}.png")
    a, b, c = (open_image_set(tmp_path / name, scratch=tmp_path / "scratch") for name in "abc")
    assert a.digest == b.digest == c.digest
    assert a.sequence == c.sequence != b.sequence
