"""Building a dataset folder: equal bytes whatever the way, going on after a kill, refusals."""

import random
from dataclasses import replace

import numpy as np
import pytest

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset, in_this_process
from gan.data.building.encode import do
from gan.data.building.rejects import read_rejects
from gan.data.records import Reject, SourceImage
from gan.data.store.dataset import read_dataset_info
from gan.data.store.resident import load_resident
from gan.data.store.shards import read_column, split_rows
from gan.errors import DatasetError

CONFIG = DataConfig(resolution=8, holdout_fraction=0.3)


@pytest.fixture
def records(noise):
    """40 images and every way to be none of them: 5 % of 80 files."""
    images = [noise(seed, channels=3 if seed % 7 == 3 else 1) for seed in range(76)]
    rejects = [Reject("bad.png", "broken image", "OSError"), noise(900, shape=(1, 1), path="tiny.png")]
    return [*images[:50], rejects[0], replace(images[4], path="copy.png"), *images[50:], rejects[1], noise(901)]


def test_the_folder_says_what_is_in_it(build, records, tmp_path):
    seen = []
    built = build(records, tmp_path / "out", CONFIG, options={"on_progress": lambda *at: seen.append(at)})
    info = read_dataset_info(tmp_path / "out")
    assert info == built.info
    assert seen == [(done, 80) for done in [0, *range(7, 80, 7), 80]]
    assert info.num_train + info.num_test == 77
    assert (info.format_version, info.channels, info.resolution, info.num_classes) == (2, 3, 8, 2)
    for split, number in (("train", info.num_train), ("test", info.num_test)):
        assert split_rows(tmp_path / "out", split) == sum(info.counts[split].values()) == number
    assert info.rejects == {"broken image": 1, "duplicate": 1, "too small": 1}
    assert built.reused == 0
    assert str(tmp_path) not in (tmp_path / "out" / "dataset.json").read_text()


@pytest.mark.parametrize("part", [1, 13, 1000])
def test_equal_sources_give_equal_bytes_however_they_are_cut(build, contents, records, tmp_path, part):
    build(records, tmp_path / "one", CONFIG)
    build(records, tmp_path / "two", CONFIG, part=part)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_jobs_may_come_back_in_any_order(build, contents, records, tmp_path):
    def shuffled(jobs):
        done = list(in_this_process(jobs))
        random.Random(0).shuffle(done)
        assert [number for number, _ in done] != sorted(number for number, _ in done)
        return iter(done)

    build(records, tmp_path / "one", CONFIG)
    build(records, tmp_path / "two", CONFIG, options={"run_jobs": shuffled})
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_killed_build_goes_on_where_it_was(build, contents, list_source, records, tmp_path):
    def killed(jobs):
        for number in (7, 6, 5, 4, 3):
            yield number, do(jobs[number])
        raise KeyboardInterrupt

    counted, seen = [], []

    def counting(jobs):
        counted.extend(jobs)
        return in_this_process(jobs)

    build(records, tmp_path / "whole", CONFIG)
    with pytest.raises(KeyboardInterrupt):
        build(records, tmp_path / "out", CONFIG, options={"run_jobs": killed})
    assert list((tmp_path / "out").iterdir()) == []
    options = {"run_jobs": counting, "on_progress": lambda *at: seen.append(at)}
    built = build(records, tmp_path / "out", CONFIG, options=options)
    parts = list_source(records).parts()
    assert [job.part for job in counted] == parts[:3] + parts[8:]
    assert built.reused == 35
    assert (seen[0], seen[-1]) == ((35, 80), (80, 80))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_work_for_another_source_or_recipe_is_dropped(build, contents, records, tmp_path):
    build(records, tmp_path / "out", CONFIG)
    work = tmp_path / "out-work"
    before = set(contents(work))
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    built = build(records[:-7], tmp_path / "out", CONFIG)  # the last two parts are others
    assert built.reused == 70
    assert len(set(contents(work)) & before) == 10
    assert len(list(work.iterdir())) == 11
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    assert build(records[:-7], tmp_path / "out", CONFIG.model_copy(update={"crop": "pad"})).reused == 0
    assert not set(contents(work)) & before


def test_settings_that_need_all_images_reuse_every_part(build, records, tmp_path):
    build(records, tmp_path / "one", CONFIG)
    (tmp_path / "one-work").rename(tmp_path / "two-work")
    assert build(records, tmp_path / "two", CONFIG.model_copy(update={"holdout_fraction": 0.5})).reused == 80


def test_no_image_moves_between_splits_when_others_come(build, noise, tmp_path):
    held_out = []
    for count in (30, 60):
        build([noise(seed) for seed in reversed(range(count))], tmp_path / str(count), CONFIG)
        held_out.append(set(read_column(tmp_path / str(count), "test", "sha256")))
    assert held_out[0] < held_out[1]


def test_blank_images_are_rejected(build, noise, tmp_path):
    blank = SourceImage("blank.png", 0, np.full((8, 8, 1), 7, np.uint8))
    info = build([*map(noise, range(40)), blank], tmp_path / "out", CONFIG).info
    assert info.rejects == {"blank": 1}
    assert info.num_train + info.num_test == 40
    assert read_rejects(tmp_path / "out.jsonl", 9) == [Reject("blank.png", "blank", "every pixel is the same")]


def test_exactly_the_share_of_rejects_passes_and_one_more_does_not(build, noise, tmp_path):
    images = [noise(seed) for seed in range(57)]
    bad = [Reject("x.png", "empty file"), replace(images[0], path="copy.png"), noise(99, shape=(1, 1), path="tiny.png")]
    info = build([*images, *bad], tmp_path / "out", CONFIG).info
    assert info.rejects == {"duplicate": 1, "empty file": 1, "too small": 1}
    words = (
        r"^4 of 61 files of list are rejected, more than 0.05 of all \(2 duplicate, 1 empty file, 1 too small\): "
        r"see .*/other\.jsonl, repair"
    )
    with pytest.raises(DatasetError, match=words):
        build([*images, *bad, replace(images[9], path="again.png")], tmp_path / "other", CONFIG)
    assert len(read_rejects(tmp_path / "other.jsonl", 9)) == 4
    assert list((tmp_path / "other").iterdir()) == []
    loose = CONFIG.model_copy(update={"max_reject_share": 4 / 61})
    build([*images, *bad, replace(images[9], path="again.png")], tmp_path / "other", loose)


def test_images_that_class_map_leaves_out_are_no_rejects(build, noise, tmp_path):
    config = CONFIG.model_copy(update={"class_map": {"b": None}, "max_reject_share": 0.0})
    built = build([noise(seed) for seed in range(40)], tmp_path / "out", config)
    assert (built.info.num_rejects, built.info.num_train + built.info.num_test) == (0, 20)
    assert "20 images are left out by data.class_map" in built.notes


def test_too_few_images_are_explained(build, noise, tmp_path):
    words = "list gives 1 images for training and 1 held out by the hash of their pixels, but each needs"
    with pytest.raises(DatasetError, match=words):
        build([noise(3, label=-1), noise(7, label=-1)], tmp_path / "one", CONFIG, class_names=())
    by_source = [noise(seed, label=-1, split="test" if seed < 1 else "train") for seed in range(9)]
    with pytest.raises(DatasetError, match="8 images for training and 1 held out by its own split"):
        build(by_source, tmp_path / "two", CONFIG, class_names=(), has_split=True)


def test_no_class_that_is_large_enough_is_explained(build, noise, tmp_path):
    config = CONFIG.model_copy(update={"min_class_images": 99, "max_reject_share": 1.0})
    with pytest.raises(DatasetError, match=r"no class of list has data\.min_class_images = 99 images to train on"):
        build([noise(seed) for seed in range(40)], tmp_path / "out", config)


def test_a_folder_with_something_in_it_is_never_written_to(list_source, noise, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AssertionError, match="not empty"):
        build_dataset(list_source([noise(0)]), CONFIG, tmp_path, work=tmp_path / "w", quarantine=tmp_path / "q")


def test_nothing_is_held_out_where_nothing_is_asked_for(build, noise, tmp_path):
    config = CONFIG.model_copy(update={"holdout_fraction": 0.0})
    built = build([noise(seed) for seed in range(24)], tmp_path / "none", config)
    assert (built.info.num_train, built.info.num_test) == (24, 0)
    assert not any("held out" in note for note in built.notes)
    held_out = load_resident(tmp_path / "none", "test", cache_dir=tmp_path / "cache", md5="none")
    assert (len(held_out), held_out.images.shape, held_out.labels.dtype) == (0, (0, 8, 8, 1), np.int64)
    with pytest.raises(DatasetError, match=r"gives 1 images .* and 0 held out"):
        build([noise(0, -1)], tmp_path / "one", config, class_names=())
    own = build(
        [noise(seed, 0, split=("train", "test")[seed % 2]) for seed in range(24)],
        tmp_path / "own",
        config,
        has_split=True,
    )
    assert (own.info.num_train, own.info.num_test) == (12, 12)  # the source's own split stays


def test_a_small_set_is_not_refused_by_chance(build, noise, tmp_path):
    config = CONFIG.model_copy(update={"holdout_fraction": 1e-9})
    built = build([noise(seed) for seed in range(24)], tmp_path / "low", config)
    assert (built.info.num_train, built.info.num_test) == (22, 2)
    assert "2 images are held out, the fewest that can be" in built.notes
    config = CONFIG.model_copy(update={"holdout_fraction": 1 - 1e-9})
    built = build([noise(seed, -1) for seed in range(24)], tmp_path / "high", config, class_names=())
    assert (built.info.num_train, built.info.num_test) == (2, 22)
    with pytest.raises(DatasetError, match=r"gives 0 images .* and 3 held out by the hash .*at least 2: add images$"):
        build([noise(seed, -1) for seed in range(3)], tmp_path / "few", config, class_names=())
    tight = CONFIG.model_copy(update={"holdout_fraction": 1e-9, "min_class_images": 6})
    with pytest.raises(DatasetError, match=r"at least 2: add images or lower data\.min_class_images = 6$"):
        build([noise(seed) for seed in range(12)], tmp_path / "tight", tight)
    with pytest.raises(
        DatasetError, match="held out by its own split, but each needs at least 2: add images or set data"
    ):
        build([noise(seed, 0, split="train") for seed in range(9)], tmp_path / "own", CONFIG, has_split=True)
