"""Releases as sources: images and labels of each format as they were drawn, and what a manifest can be instead."""

import io
import json
import shutil
import zipfile

import numpy as np
import pytest

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.origin import Origin
from gan.data.records import OUT_OF_RANGE, Reject, read_all
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.errors import DatasetError
from gan.release.formats.table import format_named
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel
from tests.unit.tasks.generate.test_release import CONFIG, EVALUATION, MD5, build_release, program_of

FORMATS = ("parquet", "webdataset", "imagefolder", "npz")
NAMES = ("zero", "one / eins", "10")


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """A release of three shards in each format, with classes whose names are no folders' and no numbers in order."""
    settings = Settings(ganflow_home=tmp_path_factory.mktemp("home"))
    return {form: drawn(settings, form, NAMES, f"v3-{form}") for form in FORMATS}


def drawn(settings, form, class_names, name):
    config = CONFIG.model_copy(update={"format": form, "shard_images": 9})
    model = RegisteredModel(3, "r77", MD5, class_names, "gan-generator")
    facts = {"evaluation": EVALUATION, "training_digests": (), "configuration": "preset debug"}
    return build_release(settings, model, program_of(len(class_names)), config, name=name, **facts).folder


@pytest.fixture
def copied(releases, tmp_path):
    """Copy a release to where it may be changed."""
    return lambda form: shutil.copytree(releases[form], tmp_path / "copy")


def opened(folder, tmp_path, **options):
    return open_source(SourceSpec(str(folder), **options), tmp_path / "scratch")


def as_drawn(folder, form, class_names=NAMES):
    """What the release's own reader finds, as pixels and class."""
    reader = format_named(form)
    shape = tuple(json.loads((folder / "manifest.json").read_text())["image"].values())
    rows = [row for path in reader.shards(folder) for row in reader.rows(path)]
    return sorted((reader.pixels(row.payload, shape).tobytes(), name_of(class_names, row.label)) for row in rows)


def name_of(class_names, label):
    return class_names[label] if label >= 0 else ""


def as_read(source):
    return sorted((each.pixels.tobytes(), name_of(source.class_names, each.label)) for each in read_all(source))


@pytest.mark.parametrize("form", FORMATS)
def test_images_and_labels_are_those_that_were_drawn(releases, tmp_path, form):
    source = opened(releases[form], tmp_path)
    assert (source.kind, source.class_names, source.has_split) == ("release", NAMES, False)
    assert source.notes[0] == (f"these images are synthetic: version 3 of gan-generator drew them as release v3-{form}")
    assert len(source) == 25
    assert as_read(source) == as_drawn(releases[form], form)
    assert [part.identity() for part in source.parts()] == [
        part.identity() for part in opened(releases[form], tmp_path).parts()
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_without_labels(releases, tmp_path, form):
    source = opened(releases[form], tmp_path, labels="none")
    assert source.class_names == ()
    assert as_read(source) == sorted((pixels, "") for pixels, _ in as_drawn(releases[form], form))


@pytest.mark.parametrize("form", FORMATS)
def test_a_model_without_classes(tmp_path, form):
    folder = drawn(Settings(ganflow_home=tmp_path / "home"), form, (), "r")
    source = opened(folder, tmp_path)
    assert source.class_names == ()
    assert as_read(source) == as_drawn(folder, form, ())


@pytest.mark.parametrize("form", FORMATS)
def test_a_zip_of_the_folder(releases, tmp_path, form):
    file = shutil.make_archive(str(tmp_path / "release"), "zip", releases[form])
    assert as_read(opened(file, tmp_path)) == as_drawn(releases[form], form)


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        (
            {"licence": "cc-by-4.0", "source_url": "https://a.org/x", "credit": "A. B.", "description": "cats"},
            Origin(licence="CC-BY-4.0", source_url="https://a.org/x", credit="A. B."),
        ),
        ({"licence": "my own", "source_url": 7, "credit": "", "md5": "x"}, Origin()),
        ({"licence": "MIT", "credit": "two\nlines"}, Origin(licence="MIT")),
        (None, Origin()),
        ("text", Origin()),
    ],
)
def test_whose_images_it_stems_from_is_taken_over(copied, tmp_path, said, origin):
    folder = copied("parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"dataset": said}))
    assert opened(folder, tmp_path).origin == origin


def test_a_dataset_of_it_says_so(releases, tmp_path):
    source = opened(releases["webdataset"], tmp_path)
    config = DataConfig(resolution=8, min_class_images=1, holdout_fraction=0.4)
    places = {"work": tmp_path / "work", "quarantine": tmp_path / "rejects"}
    built = build_dataset(source, config, tmp_path / "data", **places)
    assert built.info.source_kind == "release"
    assert any("these images are synthetic" in note for note in built.notes)


@pytest.mark.parametrize(
    ("form", "file"), [("parquet", "train-00001-of-00003.parquet"), ("imagefolder", "train/metadata.csv")]
)
def test_a_file_that_is_missing(copied, tmp_path, form, file):
    (copied(form) / file).unlink()
    with pytest.raises(DatasetError, match="lacks"):
        opened(tmp_path / "copy", tmp_path)


def test_files_beside_a_release_are_none_of_its_images(copied, tmp_path, releases):
    folder = copied("webdataset")
    shutil.copy(folder / "train-00000-of-00003.tar", folder / "more.tar")
    shutil.copy(folder / "samples.png", folder / "more.png")
    assert as_read(opened(folder, tmp_path)) == as_drawn(releases["webdataset"], "webdataset")


def test_numbers_that_name_no_class_are_rejected(copied, tmp_path):
    folder = copied("npz")
    path = folder / "train-00000-of-00003.npz"
    with zipfile.ZipFile(path) as archive:
        arrays = {each: archive.read(each) for each in archive.namelist()}
    count = len(np.load(io.BytesIO(arrays["labels.npy"])))
    arrays["labels.npy"] = saved(np.array([3, -2, -1, *[0] * (count - 3)], np.int64))
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in arrays.items():
            archive.writestr(name, content)
    first = list(read_all(opened(folder, tmp_path)))[:count]
    assert [each.reason for each in first if isinstance(each, Reject)] == [OUT_OF_RANGE] * 2
    assert [each.label for each in first if not isinstance(each, Reject)] == [-1, *[0] * (count - 3)]


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"images.npy": b"x" * 200, "labels.npy": saved(np.zeros(3, np.int64))},
        {"images.npy": saved(np.zeros((3, 4, 4, 1), np.uint8))[:-1], "labels.npy": saved(np.zeros(3, np.int64))},
        {"images.npy": saved(np.zeros((3, 4, 4, 2), np.uint8)), "labels.npy": saved(np.zeros(3, np.int64))},
        {"images.npy": saved(np.zeros((3, 4, 4), np.uint8)), "labels.npy": saved(np.zeros(3, np.int64))},
        {"images.npy": saved(np.zeros((3, 4, 4, 1), np.uint8)), "labels.npy": saved(np.zeros(2, np.int64))},
        {"images.npy": saved(np.zeros((3, 4, 4, 1), np.uint8)), "labels.npy": saved(np.zeros(3, np.int32))},
        {"images.npy": saved(np.zeros((3, 4, 4, 1), np.int8)), "labels.npy": saved(np.zeros(3, np.int64))},
        {"images.npy": saved(np.array([{}] * 3)), "labels.npy": saved(np.zeros(3, np.int64))},
    ],
)
def test_arrays_that_are_none_of_a_release(copied, tmp_path, arrays):
    folder = copied("npz")
    with zipfile.ZipFile(folder / "train-00000-of-00003.npz", "w") as archive:
        for name, content in arrays.items():
            archive.writestr(name, content)
    with pytest.raises(DatasetError, match=r"train-00000-of-00003\.npz"):
        opened(folder, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: [],
        lambda manifest: {},
        lambda manifest: manifest | {"generation": 3},
        lambda manifest: manifest | {"generation": {"format": "zip"}},
        lambda manifest: manifest | {"model": {"name": "m", "version": "3"}},
        lambda manifest: manifest | {"counts": {"a\0b": 3}},
        lambda manifest: manifest | {"counts": {"\ud800": 3}},
        lambda manifest: manifest | {"counts": {"x" * 1001: 3}},
        lambda manifest: manifest | {"counts": None},
        lambda manifest: manifest | {"name": None},
        lambda manifest: manifest | {"files": 3},
    ],
)
def test_another_manifest_makes_no_release(copied, tmp_path, change):
    folder = copied("parquet")
    (folder / "manifest.json").write_text(json.dumps(change(json.loads((folder / "manifest.json").read_text()))))
    assert opened(folder, tmp_path).kind == "parquet"
    with pytest.raises(DatasetError, match="holds no release files"):
        opened(folder, tmp_path, kind="release")


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff"])
def test_a_manifest_that_is_no_json(copied, tmp_path, content):
    folder = copied("parquet")
    (folder / "manifest.json").write_bytes(content)
    assert opened(folder, tmp_path).kind == "parquet"


def test_labels_of_ones_own_are_refused(releases, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("a.png,1\n")
    with pytest.raises(DatasetError, match="which has its own"):
        opened(releases["parquet"], tmp_path, labels=str(labels))
