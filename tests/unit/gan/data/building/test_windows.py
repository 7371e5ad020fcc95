"""Datasets of images of more than 8 bits: one window for all, found once, kept, and said."""

import json

import numpy as np
import pytest

from gan.configuration.config import DataConfig
from gan.data.building.encode import Job, encode
from gan.data.building.pool import Pool
from gan.data.building.recipe import Recipe
from gan.data.records import Deep, Reject, SourceImage
from gan.data.store.dataset import INFO_FILE, read_dataset_info
from gan.data.store.shards import read_split
from gan.errors import DatasetError

CONFIG = DataConfig(resolution=8, holdout_fraction=0.3)


def deep(seed, low, high, dtype=np.uint16, **options):
    """An image of noise from the lowest to the highest value, both of which it has."""
    values = np.random.default_rng(seed).integers(low, high, (8, 8, 1), endpoint=True).astype(dtype)
    values[0, 0], values[7, 7] = low, high
    return SourceImage(f"{seed:03d}.tif", seed % 2, Deep(values, **options))


def twelve_bits(count, first=0):
    return [deep(seed, 0, 4095) for seed in range(first, first + count)]


def pictures(folder):
    found = [image for split in ("train", "test") for images, _ in read_split(folder, split) for image in images]
    return {image.tobytes() for image in found}


def shown(record, low, high):
    return np.rint((np.clip(record.pixels.values.astype(float), low, high) - low) / (high - low) * 255).astype(np.uint8)


def lines(built, word):
    return [note for note in built.notes if word in note]


def test_twelve_bits_in_sixteen_fill_0_to_255_and_this_is_said(build, tmp_path):
    records = twelve_bits(20)
    built = build(records, tmp_path / "data", CONFIG)
    assert pictures(tmp_path / "data") == {shown(record, 0, 4095).tobytes() for record in records}
    assert lines(built, "bit") == ["16-bit images: values 0 to 4095 shown as 0 to 255 (data.window=auto)"]
    said = json.loads((tmp_path / "data" / INFO_FILE).read_text())
    assert (said["window"], said["windows"]) == ("auto", {"unsigned": [0, 4095]})


def test_no_order_no_cut_and_no_number_of_workers_changes_it(build, tmp_path, contents):
    records = [*twelve_bits(15), *(deep(seed, -300, 900, np.int16) for seed in range(20, 30))]
    build(records, tmp_path / "one", CONFIG)
    build(records, tmp_path / "other", CONFIG, part=3)
    with Pool() as pool:
        build(records, tmp_path / "third", CONFIG, part=2, options={"run_jobs": pool.run})
    assert contents(tmp_path / "one") == contents(tmp_path / "other") == contents(tmp_path / "third")
    assert read_dataset_info(tmp_path / "one").windows == {"signed": (-300, 900), "unsigned": (0, 4095)}


def test_images_of_8_bits_keep_their_values_beside_deep_ones_and_alone_cost_nothing(build, noise, tmp_path):
    plain = [noise(seed, shape=(8, 8)) for seed in range(100, 110)]
    build([*twelve_bits(10), *plain], tmp_path / "both", CONFIG)
    assert {record.pixels.tobytes() for record in plain} < pictures(tmp_path / "both")
    alone = [noise(seed, shape=(8, 8)) for seed in range(100, 130)]
    built = build(alone, tmp_path / "alone", CONFIG)
    assert not json.loads((tmp_path / "alone" / INFO_FILE).read_text()).keys() & {"window", "windows"}
    assert lines(built, "bit") == []


def test_only_parts_with_deep_images_are_read_again(build, noise, tmp_path):
    plain = [noise(seed, shape=(8, 8)) for seed in range(100, 114)]
    read = []

    def counted(jobs):
        for number, job in enumerate(jobs):
            read.append(len(job.part))
            yield number, encode(job).to_pybytes()

    done = []
    options = {"run_jobs": counted, "on_progress": lambda *place: done.append(place)}
    build([*plain, *twelve_bits(7)], tmp_path / "data", CONFIG, part=7, options=options)
    assert read == [7, 7, 7, 7]
    assert done == [(0, 21), (7, 21), (14, 21), (21, 21), (21, 28), (28, 28)]


@pytest.mark.parametrize(
    ("window", "low", "high"),
    [("full", 0, 65535), ("100:3000", 100, 3000), ("p0:p100", 0, 4095), ("-5:5000.5", -5, 5000.5)],
)
def test_a_window_that_is_asked_for_is_taken(build, tmp_path, window, low, high):
    records = twelve_bits(12)
    built = build(records, tmp_path / "data", CONFIG.model_copy(update={"window": window}))
    assert pictures(tmp_path / "data") == {shown(record, low, high).tobytes() for record in records}
    assert f"(data.window={window})" in lines(built, "shown as")[0]
    assert built.info.windows == {"unsigned": (low, high)}


def test_percentiles_are_those_of_all_images_together(build, tmp_path):
    records = twelve_bits(12)
    everything = np.concatenate([record.pixels.values.ravel() for record in records])
    low, high = np.percentile(everything, [5, 90], method="inverted_cdf").tolist()
    build(records, tmp_path / "data", CONFIG.model_copy(update={"window": "p5:p90"}), part=4)
    assert pictures(tmp_path / "data") == {shown(record, low, high).tobytes() for record in records}


def test_a_file_s_own_window_holds_unless_another_is_asked_for(build, tmp_path):
    own = [deep(seed, 0, 4095, window=(1000.0, 2000.0)) for seed in range(10)]
    built = build(own, tmp_path / "own", CONFIG)
    assert pictures(tmp_path / "own") == {shown(record, 1000, 2000).tobytes() for record in own}
    assert lines(built, "window that each file has") == [
        "10 images are shown by the window that each file has (data.window=auto)"
    ]
    assert (built.info.window, built.info.windows) == ("auto", {})
    build(own, tmp_path / "asked", CONFIG.model_copy(update={"window": "0:4095"}))
    assert pictures(tmp_path / "asked") == {shown(record, 0, 4095).tobytes() for record in own}


def test_new_images_do_not_change_those_that_are_there(build, tmp_path, contents):
    first = [deep(seed, -1000 + seed, 2000 + seed, np.int16) for seed in range(20)]
    build(first, tmp_path / "first", CONFIG)
    assert read_dataset_info(tmp_path / "first").windows == {"signed": (-1000, 2019)}
    more = [*first, deep(50, -1200, 2050, np.int16), deep(51, -900, 1000, np.int16)]
    built = build(more, tmp_path / "second", CONFIG, previous=tmp_path / "first")
    assert pictures(tmp_path / "first") < pictures(tmp_path / "second")
    assert read_dataset_info(tmp_path / "second").windows == {"signed": (-1000, 2019)}
    assert lines(built, "signed") == [
        "signed 16-bit images: values -1000 to 2019 shown as 0 to 255 as in the version before (data.window=auto)",
        "1 of 22 signed 16-bit images have values beyond that, which became 0 or 255: data.window=-1200:2050 would "
        "show them, and change all",
    ]
    build(more, tmp_path / "again", CONFIG, previous=tmp_path / "second")
    assert contents(tmp_path / "again") == contents(tmp_path / "second")


def test_of_another_source_or_another_wish_the_window_is_found_anew(build, tmp_path):
    build([deep(seed, 0, 500) for seed in range(20)], tmp_path / "first", CONFIG)
    options = {"previous": tmp_path / "first"}
    other = build([deep(seed, 0, 4095) for seed in range(20)], tmp_path / "other", CONFIG, name="b", **options)
    assert other.info.windows == {"unsigned": (0, 4095)}
    wish = CONFIG.model_copy(update={"window": "p0:p100"})
    assert build(twelve_bits(20), tmp_path / "wish", wish, **options).info.windows == {"unsigned": (0, 4095)}


def test_images_of_quite_another_range_ask_what_is_meant(build, tmp_path):
    first = [deep(seed, 0, 500) for seed in range(20)]
    build(first, tmp_path / "first", CONFIG)
    more = [*first, *(deep(seed, 0, 4000) for seed in range(20, 24))]
    with pytest.raises(DatasetError) as caught:
        build(more, tmp_path / "second", CONFIG, previous=tmp_path / "first")
    assert str(caught.value) == (
        "4 of 24 16-bit images have values far beyond 0 to 511, which the version before shows as 0 to 255: give "
        "data.window=0:4095 to show all, which changes the images that are there, or data.window=0:511 to leave them "
        "as they are"
    )
    kept = CONFIG.model_copy(update={"window": "0:511"})
    build(more, tmp_path / "kept", kept, previous=tmp_path / "first")
    assert pictures(tmp_path / "first") < pictures(tmp_path / "kept")


def test_no_window_moves_an_image_into_the_other_split(build, tmp_path):
    records = twelve_bits(40)
    for name, window in (("a", "auto"), ("b", "full"), ("c", "0:900")):
        build(records, tmp_path / name, CONFIG.model_copy(update={"window": window}))
    sizes = [
        (read_dataset_info(tmp_path / name).num_train, read_dataset_info(tmp_path / name).num_test) for name in "abc"
    ]
    assert len(set(sizes)) == 1
    places = []
    for name, window in (("a", 4095), ("b", 65535), ("c", 900)):
        held_out = {image.tobytes() for images, _ in read_split(tmp_path / name, "test") for image in images}
        places.append([shown(record, 0, window).tobytes() in held_out for record in records])
    assert 0 < sum(places[0]) < 40
    assert places[0] == places[1] == places[2]


def test_nearly_one_colour_is_said(build, noise, tmp_path):
    dark = [SourceImage(f"{at}", -1, noise(at, shape=(8, 8)).pixels // 9) for at in range(20)]
    assert lines(build(dark, tmp_path / "dark", CONFIG, class_names=()), "colour") == [
        "all images are of nearly one colour: their values are 0 to 28 of 0 to 255"
    ]
    bright = SourceImage("bright", -1, noise(30, shape=(8, 8)).pixels)
    assert lines(build([*dark, bright], tmp_path / "light", CONFIG, class_names=()), "colour") == []
    whole = CONFIG.model_copy(update={"window": "full"})
    assert lines(build(twelve_bits(20), tmp_path / "full", whole), "colour") == [
        "16-bit images have values 0 to 4095 alone, less than an eighth of what is shown, so they are of nearly one "
        "colour: a narrower data.window shows more"
    ]


def test_images_without_a_number_are_rejected(build, tmp_path):
    nothing = SourceImage("nothing.tif", 0, Deep(np.full((8, 8, 1), np.nan, np.float32)))
    floats = [deep(seed, 0, 1, np.float32) for seed in range(20)]
    config = CONFIG.model_copy(update={"max_reject_share": 0.2})
    built = build([nothing, Reject("x", "empty file"), *floats], tmp_path / "data", config)
    assert built.info.rejects == {"empty file": 1, "no value is a number": 1}
    assert built.info.windows == {"float": (0, 1)}


def test_what_a_killed_ingest_had_read_is_not_read_again(build, tmp_path):
    records, read = twelve_bits(21), []

    def killed(jobs):
        for number, job in enumerate(jobs):
            read.append(job)
            yield number, encode(job).to_pybytes()
            if len(read) == 5:
                raise KeyboardInterrupt

    options = {"run_jobs": killed}
    with pytest.raises(KeyboardInterrupt):
        build(records, tmp_path / "data", CONFIG, part=7, options=options)
    assert len(read) == 5  # three to find the window, two to show
    built = build(records, tmp_path / "data", CONFIG, part=7, options=options)
    assert (len(read), built.reused) == (6, 21)
    assert built.info.num_train + built.info.num_test == 21


def test_equal_windows_have_equal_keys(list_source):
    (part,) = list_source([deep(0, 0, 9)]).parts()
    unknown = Recipe.of(CONFIG)
    known = Recipe.of(CONFIG, unknown.windows.with_found({"unsigned": (0, 15)}))
    keys = [
        Job(part, recipe).key() for recipe in (unknown, known, Recipe.of(CONFIG.model_copy(update={"window": "full"})))
    ]
    assert len(set(keys)) == 3
    assert keys[1].startswith(f"{keys[0]}-")
