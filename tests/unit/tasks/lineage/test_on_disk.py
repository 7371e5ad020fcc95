"""Releases of a home, and single images in their shards."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image as Picture

from gan.data.store.shards import read_split, write_shards
from gan.errors import InputError
from gan.release.formats.table import format_named
from gan.release.shard import Marks, Shard, pixel_digests
from tasks.lineage.on_disk import absent, described, find_images, folders, image_of_row, image_of_seed
from tasks.runtime.settings import Settings

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), np.uint8)
LABELS = np.array([0, 1, 0, 1, 0, 1, 0])
MANIFEST = {
    "model": {"name": "gan-generator", "version": 3, "run_id": "r77"},
    "dataset_md5": "d",
    "generation": {"num_images": 7, "first_seed": 100},
    "counts": {"cat": 4, "dog\x1b": 3},
}


@pytest.fixture
def settings(tmp_path):
    return Settings(ganflow_home=tmp_path)


def release(settings, name, images=IMAGES, manifest=MANIFEST):
    folder = settings.synthetic_dir / name
    folder.mkdir(parents=True)
    seeds = np.arange(100, 100 + len(images))
    write_shards(folder, "train", images, LABELS[: len(images)], extra={"seed": seeds}, shard_rows=3)
    (folder / "manifest.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    return folder


def test_a_release_says_what_it_is(settings):
    release(settings, "r")
    (settings.synthetic_dir / "r.dvc").write_text(f"outs:\n- md5: {'a' * 32}.dir\n  path: r\n")
    (settings.synthetic_dir / "away.dvc").write_text("outs: []")
    (settings.synthetic_dir / ".scratch").mkdir()
    assert list(folders(settings)) == ["r"]
    assert absent(settings) == ["away"]
    found = described(settings, "r")
    assert (found.md5, found.model_version, found.training_run) == ("a" * 32, 3, "r77")
    assert (found.num_images, found.first_seed, found.here) == (7, 100, True)
    assert described(settings, "away") is None
    assert found.truncation is None


def test_a_truncated_one_is_made_again_as_such(settings):
    generation = MANIFEST["generation"] | {"truncation": 0.7}
    release(settings, "r", manifest=json.dumps(MANIFEST | {"generation": generation}))
    assert described(settings, "r").truncation == 0.7
    assert image_of_row(settings, "r", 4).look.endswith(" --label 0 -n 1 --truncation 0.7")


@pytest.mark.parametrize("manifest", ["[", "[]", "{}", '{"model": 3, "dataset_md5": {}}', "[" * 10**5])
def test_a_manifest_that_makes_no_sense_says_nothing(settings, manifest):
    release(settings, "r", manifest=manifest)
    found = described(settings, "r")
    assert (found.model_version, found.dataset_md5, found.num_images) == (None, None, None)
    assert image_of_row(settings, "r", 0).class_name is None


def test_an_image_is_found_by_row_and_by_seed(settings):
    release(settings, "r")
    image = image_of_row(settings, "r", 4)
    assert image == image_of_seed(settings, "r", 104)
    assert (image.file, image.row_of_file, image.seed) == ("train-00001-of-00003.parquet", 1, 104)
    assert (image.label, image.class_name) == (0, "cat")
    assert image.sha256 == hashlib.sha256(IMAGES[4].tobytes()).hexdigest()
    assert image.look == "ganflow sample --model 3 --seed 104 --label 0 -n 1"
    with pytest.raises(InputError, match="rows 0 to 6, and no row 7"):
        image_of_row(settings, "r", 7)
    with pytest.raises(InputError, match="no image with seed 5: its seeds are 100 to 106"):
        image_of_seed(settings, "r", 5)
    with pytest.raises(InputError, match="release other is not in"):
        image_of_row(settings, "other", 0)


@pytest.mark.parametrize("form", ["webdataset", "imagefolder", "npz"])
def test_so_it_is_in_other_formats(settings, tmp_path, form):
    folder = settings.synthetic_dir / "r"
    module, names = format_named(form), ("cat", "dog\x1b")
    payloads = module.payloads(IMAGES, Marks())
    shard = Shard(0, 1, (4, 5, 3), names, payloads, pixel_digests(IMAGES), np.arange(100, 107), LABELS)
    for path, data in module.files(shard):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    if module.INDEX_FILE:
        (folder / module.INDEX_FILE).write_bytes(module.INDEX_HEADER + module.index_lines(shard))
    size = {"height": 4, "width": 5, "channels": 3}
    generation = MANIFEST["generation"] | {"format": form}
    (folder / "manifest.json").write_text(json.dumps(MANIFEST | {"generation": generation, "image": size}))
    image = image_of_row(settings, "r", 4)
    assert image == image_of_seed(settings, "r", 104)
    assert (image.row_of_file, image.label, image.class_name) == (4, 0, "cat")
    assert (folder / image.file).is_file()
    assert image.sha256 == hashlib.sha256(IMAGES[4].tobytes()).hexdigest()
    file = tmp_path / "any.png"
    Picture.fromarray(IMAGES[6]).save(file)
    assert find_images(settings, file) == [image_of_row(settings, "r", 6)]


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_an_image_file_is_found_by_its_pixels(settings, tmp_path, suffix):
    release(settings, "r")
    file = tmp_path / f"any.{suffix}"
    Picture.fromarray(IMAGES[6]).save(file)
    assert find_images(settings, file) == [image_of_row(settings, "r", 6)]
    release(settings, "s", IMAGES[4:])
    assert [(each.release, each.row) for each in find_images(settings, file)] == [("r", 6), ("s", 2)]
    other = IMAGES[6].copy()
    other[0, 0, 0] ^= 1
    Picture.fromarray(other).save(file)
    assert find_images(settings, file) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grey_image_is_found_as_grey_or_as_rgb(settings, tmp_path, channels):
    grey = IMAGES[..., :1].repeat(channels, axis=3)
    folder = release(settings, "r", grey)
    assert np.concatenate([images for images, _ in read_split(folder, "train")]).shape[3] == channels
    file = tmp_path / "grey.png"
    for mode in ("L", "RGB"):
        Picture.fromarray(IMAGES[2, ..., 0]).convert(mode).save(file)
        assert [each.row for each in find_images(settings, file)] == [2]


def test_a_file_that_is_no_image_is_refused(settings, tmp_path):
    release(settings, "r")
    file = tmp_path / "text.png"
    file.write_text("no image")
    with pytest.raises(InputError, match="is no image that can be read"):
        find_images(settings, file)
