"""Near duplicates of a dataset: reported without a trace in its bytes, dropped where that is asked for."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from gan.configuration.config import DataConfig
from gan.data.building import near as near_module
from gan.data.building.build import build_dataset, in_this_process
from gan.data.building.near import NEAR, NEAR_HELD_OUT
from gan.data.building.pool import Pool
from gan.data.building.rejects import read_rejects
from gan.data.pixels.png import encode_png
from gan.data.records import SourceImage
from gan.data.sources.detect import open_source
from gan.data.sources.digits import DigitsSource
from gan.data.sources.spec import SourceSpec
from gan.data.store.dataset import read_dataset_info

CONFIG = DataConfig(resolution=16, max_reject_share=0.0)
NAMES = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")


@pytest.fixture(scope="module")
def source(digits):
    """300 digits with a split of their own, and copies of some of them behind."""
    images, labels = digits
    records = [
        SourceImage(f"{at:03d}.png", int(labels[at]), images[at], "test" if at % 5 == 4 else "train")
        for at in range(300)
    ]

    def copy(of, path, axis=1, **changes):
        pixels = np.roll(records[of].pixels, 1, axis=axis)
        return replace(records[of], path=path, pixels=pixels, **changes)

    return [
        *records,
        copy(0, "again.png"),
        copy(0, "and again.png", axis=0),
        copy(4, "leak.png", split="train"),
        copy(9, "of the test.png"),
        copy(10, "wrong.png", label=(int(labels[10]) + 1) % 10),
        copy(14, "wrong leak.png", label=(int(labels[14]) + 1) % 10, split="train"),
        copy(20, "held out.png", split="test"),
    ]


def made(build, source, folder, **changes):
    return build(source, folder, CONFIG.model_copy(update=changes), class_names=NAMES, has_split=True)


def test_pairs_are_told_with_what_they_are(build, source, tmp_path):
    found = made(build, source, tmp_path / "out").near
    pairs = {pair.paths: pair for pair in found.pairs}
    # Of a pair the held out image comes first, else the one that the source has first.
    assert set(pairs) == {
        ("000.png", "again.png"),
        ("000.png", "and again.png"),
        ("again.png", "and again.png"),
        ("004.png", "leak.png"),
        ("009.png", "of the test.png"),
        ("010.png", "wrong.png"),
        ("014.png", "wrong leak.png"),
        ("held out.png", "020.png"),
    }
    assert {pair.paths for pair in found.of_kind("labels")} == {("010.png", "wrong.png"), ("014.png", "wrong leak.png")}
    assert {pair.paths for pair in found.of_kind("splits")} == {("004.png", "leak.png"), ("held out.png", "020.png")}
    assert pairs["004.png", "leak.png"].splits == ("test", "train")
    assert pairs["010.png", "wrong.png"].labels[0] != pairs["010.png", "wrong.png"].labels[1]
    counts = found.counts
    assert (counts.between_classes, counts.between_splits) == (2, 3)
    assert counts.within_class == len(pairs) - 4
    assert all(pair.score <= found.threshold and pair.alike >= 0.8 for pair in found.pairs)
    assert all(pair.score > found.threshold or pair.alike < 0.8 for pair in found.beyond)
    pictured = {record for pair in (*found.pairs, *found.beyond) for record in pair.records}
    assert set(found.images) == pictured
    assert {image.shape for image in found.images.values()} == {(16, 16, 1)}


def test_looking_changes_no_byte(build, contents, source, tmp_path):
    looked = made(build, source, tmp_path / "report", near_duplicates="report")
    unlooked = made(build, source, tmp_path / "off", near_duplicates="off")
    assert looked.near is not None
    assert unlooked.near is None
    assert contents(tmp_path / "report") == contents(tmp_path / "off")
    assert "near_duplicates" not in json.loads((tmp_path / "off" / "dataset.json").read_text())
    assert [note for note in looked.notes if "nearly equal" in note] == [*looked.notes][-1:]
    assert not [note for note in unlooked.notes if "nearly equal" in note]


def test_of_images_to_train_on_those_go_that_repeat_one_that_stays(build, source, tmp_path):
    built = made(build, source, tmp_path / "out", near_duplicates="drop")
    rejects = {each.path: (each.reason, each.detail) for each in read_rejects(tmp_path / "out.jsonl", 100)}
    assert rejects == {
        "again.png": (NEAR, "of 000.png"),
        "and again.png": (NEAR, "of 000.png"),
        "leak.png": (NEAR_HELD_OUT, "of 004.png"),
        "020.png": (NEAR_HELD_OUT, "of held out.png"),
    }
    info = read_dataset_info(tmp_path / "out")
    assert info == built.info
    assert info.rejects == {NEAR: 2, NEAR_HELD_OUT: 2}
    assert info.near_duplicates == built.near.threshold
    # All that are held out stay, and so do images whose labels contradict each other.
    assert info.num_test == sum(each.split == "test" for each in source)
    assert info.num_train + info.num_test + info.num_rejects == len(source)


def test_the_files_of_a_folder_add_up_without_those_that_were_dropped(source, tmp_path):
    for each in (*source[:120], source[300], source[302]):
        path = tmp_path / "photos" / each.split / str(each.label) / each.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(each.pixels))
    (tmp_path / "photos" / "README.md").write_text("digits")
    (tmp_path / "photos" / "train" / "0" / "broken.png").write_bytes(b"none")
    config = CONFIG.model_copy(update={"near_duplicates": "drop", "max_reject_share": 0.02})
    places = {"work": tmp_path / "work", "quarantine": tmp_path / "rejects.jsonl"}
    opened = open_source(SourceSpec(str(tmp_path / "photos")), tmp_path / "scratch")
    files = build_dataset(opened, config, tmp_path / "out", **places).files
    assert (files.files, files.images, sum(files.companions.values()), files.rejects) == (124, 120, 1, 3)


def test_what_was_asked_to_be_dropped_does_not_count_as_broken(build, source, tmp_path):
    assert CONFIG.max_reject_share == 0.0
    assert made(build, source, tmp_path / "out", near_duplicates="drop").info.num_rejects == 4


def test_the_same_are_dropped_however_the_source_is_cut_and_by_any_number_of_processes(
    build, contents, source, tmp_path
):
    config = CONFIG.model_copy(update={"near_duplicates": "drop"})
    of = {"class_names": NAMES, "has_split": True}
    build(source, tmp_path / "one", config, part=1000, **of)
    build(source, tmp_path / "two", config, part=3, options={"run_jobs": _backwards}, **of)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def _backwards(jobs):
    return iter(list(in_this_process(jobs))[::-1])


def test_processes_of_their_own_make_the_same_of_it(build, contents, tmp_path):
    config = DataConfig(resolution=8, near_duplicates="report")
    found = {}
    for name in ("pool", "here"):
        places = {"work": tmp_path / f"{name}-work", "quarantine": tmp_path / f"{name}.jsonl"}
        with Pool() as pool:
            options = {"run_jobs": pool.run} if name == "pool" else {}
            found[name] = build_dataset(DigitsSource(), config, tmp_path / name, **places, **options).near
    assert contents(tmp_path / "pool") == contents(tmp_path / "here")
    assert found["pool"].counts == found["here"].counts
    assert found["pool"].counts.pairs == 0, "no two of the 1,797 digits are taken for one"


def test_a_class_keeps_what_it_needs_to_be_trained_on(build, source, tmp_path):
    few = [replace(each, label=3) for each in source if each.path in {"000.png", "again.png", "and again.png"}]
    others = [each for each in source[:300] if each.label != 3 and each.path != "000.png"]
    config = CONFIG.model_copy(update={"near_duplicates": "drop", "min_class_images": 2})
    built = build([*others, *few], tmp_path / "out", config, class_names=NAMES, has_split=True)
    assert built.info.counts["train"]["d"] == 2
    assert built.info.rejects == {NEAR: 1}


def test_an_image_that_goes_keeps_no_other_from_staying(build, source, digits, tmp_path):
    # Each is near the one before, and less so the one before that: the third stays where it is not near the first.
    pixels = source[0].pixels
    chain = [replace(source[0], path=f"{step}.png", pixels=np.roll(pixels, 2 * step, axis=1)) for step in range(1, 5)]
    built = made(build, [*source[:300], *chain], tmp_path / "out", near_duplicates="drop")
    gone = {each.path for each in read_rejects(tmp_path / "out.jsonl", 100)}
    stays = {each.path for each in (source[0], *chain)} - gone
    near = {frozenset(pair.paths) for pair in built.near.pairs}
    assert all(any(frozenset((path, other)) in near for other in stays) for path in gone)


def test_many_images_are_looked_through_only_if_asked(build, source, tmp_path, monkeypatch):
    monkeypatch.setattr(near_module, "AUTO_MOST", len(source))
    assert made(build, source, tmp_path / "auto").near is not None
    monkeypatch.setattr(near_module, "AUTO_MOST", len(source) - 1)
    assert made(build, source, tmp_path / "more").near is None
    assert made(build, source, tmp_path / "asked", near_duplicates="report").near is not None


def test_a_handful_of_images_is_not_looked_through(build, noise, tmp_path):
    config = DataConfig(resolution=8, holdout_fraction=0.3)
    built = build([noise(seed) for seed in range(16)], tmp_path / "out", config)
    assert built.near is None
    assert not [note for note in built.notes if "near duplicates" in note]
    asked = config.model_copy(update={"near_duplicates": "drop"})
    built = build([noise(seed) for seed in range(16)], tmp_path / "asked", asked)
    assert "near duplicates are not looked for among fewer than 20 images" in built.notes


def test_images_without_labels_have_none_that_contradict(build, source, tmp_path):
    records = [replace(each, label=-1) for each in source]
    found = build(records, tmp_path / "out", CONFIG, class_names=(), has_split=True).near
    assert found.counts.between_classes == 0
    assert Counter(pair.labels for pair in found.pairs) == {(None, None): len(found.pairs)}


def test_colours_and_large_images_are_looked_at_too(build, tmp_path):
    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (60, 8, 8, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    records = [SourceImage(f"{at}.png", at % 2, image) for at, image in enumerate(large)]
    grey = large[5].mean(axis=2, keepdims=True).astype(np.uint8)
    records += [SourceImage("shifted.png", 0, np.roll(large[4], 2, axis=0)), SourceImage("grey.png", 1, grey)]
    built = build(records, tmp_path / "out", DataConfig(resolution=64, holdout_fraction=0.3))
    assert {frozenset(pair.paths) for pair in built.near.pairs} == {frozenset(("4.png", "shifted.png"))}
