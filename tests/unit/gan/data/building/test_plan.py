"""What becomes of records once all are known."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan.configuration.config import DataConfig
from gan.data.building.plan import DUPLICATE, FEW_IMAGES, IN_HOLDOUT, NO_LABEL, OTHER_LABEL, make_plan
from gan.data.pixels.png import decode_png
from gan.data.records import Reject
from gan.errors import DatasetError

CONFIG = DataConfig(resolution=8, holdout_fraction=0.3, min_class_images=1)


@pytest.fixture
def plan_of(stored, tmp_path):
    def make(records, class_names=("a", "b"), has_split=False, **changes):
        config = CONFIG.model_copy(update=changes)
        return make_plan(stored(records, tmp_path / "work", config), config, class_names, has_split)

    return make


def names_of(plan, records):
    return [plan.class_names[label] if label >= 0 else None for label in plan.labels[records]]


def test_everything_is_kept_where_nothing_is_wrong(plan_of, noise):
    plan = plan_of([*map(noise, range(40)), Reject("x", "empty file")])
    train, test = plan.records("train"), plan.records("test")
    assert sorted([*train, *test]) == list(range(40))
    assert len(test) > 3
    assert (plan.split, plan.channels, plan.class_names) == ("hash", 1, ("a", "b"))
    assert (plan.rejects, plan.dropped_classes, plan.left_out) == ({}, {}, 0)
    assert plan.labels[:40].tolist() == [0, 1] * 20


def test_adding_images_moves_none_between_the_splits(plan_of, noise):
    few = plan_of([noise(seed) for seed in range(30)])
    more = plan_of([noise(seed) for seed in [*range(100, 140), *range(30)]])
    assert more.held_out[40:].tolist() == few.held_out.tolist()
    assert (more.digests[40:] == few.digests).all()


def test_the_first_of_equal_images_is_kept(plan_of, noise):
    records = [*(noise(seed, label=0) for seed in range(8)), noise(3, label=0), noise(3, label=0)]
    plan = plan_of(records)
    assert plan.rejects == {8: (DUPLICATE, 3), 9: (DUPLICATE, 3)}
    assert not plan.kept[8:].any()


def test_a_copy_with_another_label_is_named_so(plan_of, noise):
    plan = plan_of([*(noise(seed, label=0) for seed in range(8)), noise(3, label=1), noise(3, label=0)])
    assert plan.rejects == {8: (OTHER_LABEL, 3), 9: (DUPLICATE, 3)}


def test_what_is_held_out_wins_over_an_earlier_copy_to_train_on(plan_of, noise):
    split = {0: "train", 1: "test", 2: "train", 3: "test"}
    records = [noise(seed, label=0, split=split[seed % 4]) for seed in range(8)]
    records += [replace(records[0], split="test"), replace(records[0], split="train"), replace(records[1], label=1)]
    plan = plan_of(records, has_split=True)
    assert plan.split == "source"
    assert plan.rejects == {0: (IN_HOLDOUT, 8), 9: (IN_HOLDOUT, 8), 10: (OTHER_LABEL, 1)}
    assert plan.records("test").tolist() == [1, 3, 5, 7, 8]


def test_images_that_are_equal_only_once_prepared_are_copies(plan_of, noise):
    small = [noise(seed, label=0, shape=(8, 8)) for seed in range(6)]
    large = [replace(each, pixels=each.pixels.repeat(2, axis=0).repeat(2, axis=1)) for each in small]
    plan = plan_of([*small, *large], filter="box")
    # Which of two is kept follows from who is held out; their source pixels differ, so their keys may.
    pairs = {tuple(sorted((record, original))) for record, (_, original) in plan.rejects.items()}
    assert pairs == {(index, index + 6) for index in range(6)}


def test_classes_with_too_few_images_go_and_labels_are_renumbered(plan_of, noise):
    labels = [0] * 3 + [1] * 2 + [2] * 3 + [1, 3]
    split = ["train"] * 8 + ["test"] * 2
    records = [noise(at, label=label, split=split[at]) for at, label in enumerate(labels)]
    names = ("ape", "bee", "cat", "dog", "elk")
    plan = plan_of(records, names, has_split=True, min_class_images=3)
    assert plan.class_names == ("ape", "cat")
    assert plan.dropped_classes == {"bee": 2, "dog": 0, "elk": 0}
    assert plan.rejects == dict.fromkeys([3, 4, 8, 9], (FEW_IMAGES, -1))
    kept = np.flatnonzero(plan.kept)
    assert names_of(plan, kept) == ["ape"] * 3 + ["cat"] * 3
    assert plan_of(records, names, has_split=True, min_class_images=2).class_names == ("ape", "bee", "cat")


def test_copies_do_not_fill_a_class(plan_of, noise):
    records = [noise(seed, label=0, split="train") for seed in range(3)] + [noise(9, label=1, split="train")] * 3
    plan = plan_of(records, has_split=True, min_class_images=2)
    assert plan.dropped_classes == {"b": 1}
    assert plan.rejects == {3: (FEW_IMAGES, -1), 4: (DUPLICATE, 3), 5: (DUPLICATE, 3)}


def test_classes_are_merged_renamed_and_left_out(plan_of, noise):
    labels = [0, 1, 2, 3] * 5
    records = [noise(at, label=label) for at, label in enumerate(labels)]
    mapping = {"dog": "pet", "cat": "pet", "elk": None}
    plan = plan_of(records, ("ape", "cat", "dog", "elk"), class_map=mapping)
    assert plan.class_names == ("ape", "pet")
    assert names_of(plan, np.flatnonzero(plan.kept)) == ["ape", "pet", "pet"] * 5
    assert plan.left_out == 5
    assert plan.rejects == {}


def test_merged_classes_make_copies_plain_copies(plan_of, noise):
    records = [*(noise(seed, label=0) for seed in range(8)), noise(3, label=1)]
    assert plan_of(records).rejects == {8: (OTHER_LABEL, 3)}
    assert plan_of(records, class_map={"b": "a"}).rejects == {8: (DUPLICATE, 3)}
    assert plan_of(records, class_map={"b": None}).rejects == {}


def test_two_classes_may_swap_their_names(plan_of, noise):
    plan = plan_of([noise(seed) for seed in range(8)], class_map={"a": "b", "b": "a"})
    assert names_of(plan, np.arange(8)) == ["b", "a"] * 4


@pytest.mark.parametrize(
    ("class_names", "words"),
    [(("a", "b"), "names «c», but the classes are a, b"), ((), "names «c», but the images have no classes")],
)
def test_a_class_that_is_none_is_explained(plan_of, noise, class_names, words):
    with pytest.raises(DatasetError, match=words):
        plan_of([noise(0)], class_names, class_map={"c": "d"})


@pytest.mark.parametrize(
    ("asked", "has_split", "who"),
    [("auto", True, "source"), ("auto", False, "hash"), ("hash", True, "hash"), ("source", True, "source")],
)
def test_who_splits(plan_of, noise, asked, has_split, who):
    # The source holds out what is labelled b, the hash has another opinion.
    records = [noise(seed, split="test" if seed % 2 else "train") for seed in range(40)]
    plan = plan_of(records, has_split=has_split, split=asked)
    assert plan.split == who
    assert (plan.held_out.tolist() == [False, True] * 20) == (who == "source")


def test_a_split_that_the_source_does_not_have_is_explained(plan_of, noise):
    with pytest.raises(DatasetError, match=r"data\.split is source, but the source does not say .* data\.split=hash"):
        plan_of([noise(0)], split="source")


def test_digests_are_of_the_pixels_as_they_will_be(plan_of, stored, tmp_path, noise):
    mixed = [*(noise(seed) for seed in range(5)), *(noise(seed, channels=3) for seed in range(5, 9))]
    for records, changes, channels in (
        (mixed[:5], {}, 1),
        (mixed, {}, 3),
        (mixed, {"channels": 1}, 1),
        (mixed[:5], {"channels": 3}, 3),
    ):
        plan = plan_of(records, **changes)
        assert plan.channels == channels
        store = stored(records, tmp_path / "again", CONFIG.model_copy(update=changes))
        for record, png in enumerate(store.values("png", np.arange(len(records)))):
            own = store.column("channels")[record]
            pixels = decode_png(png, (8, 8, own)).repeat(channels // own, axis=2)
            assert plan.digests[record] == hashlib.sha256(pixels.tobytes()).digest().rstrip(b"\0")


def test_only_what_is_kept_says_whether_there_is_colour(plan_of, noise):
    records = [*(noise(seed, label=0) for seed in range(5)), noise(9, label=1, channels=3)]
    assert plan_of(records).channels == 3
    assert plan_of(records, class_map={"b": None}).channels == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.lists(
        st.tuples(st.integers(0, 5), st.integers(-1, 2), st.sampled_from(["train", "test"])), min_size=1, max_size=25
    ),
    least=st.integers(1, 3),
    asked=st.sampled_from(["hash", "source"]),
)
def test_every_record_is_kept_or_rejected_and_no_pixels_are_there_twice(plan_of, noise, chosen, least, asked):
    records = [noise(seed, label=label, split=split, path=f"{at}") for at, (seed, label, split) in enumerate(chosen)]
    plan = plan_of(records, ("a", "b", "c"), has_split=True, min_class_images=least, split=asked)
    assert [record in plan.rejects for record in range(len(records))] == (~plan.kept).tolist()
    kept = np.flatnonzero(plan.kept)
    assert len(set(plan.digests[kept])) == len(kept)
    held_out = set(plan.digests[plan.records("test")])
    assert not held_out & set(plan.digests[plan.records("train")])
    for record, (reason, original) in plan.rejects.items():
        assert (reason in {FEW_IMAGES, NO_LABEL}) == (original == -1)
        if original >= 0:
            assert plan.digests[record] == plan.digests[original]
    counts = np.bincount(plan.labels[plan.records("train")] + 1, minlength=len(plan.class_names) + 1)[1:]
    assert len(counts) == len(plan.class_names)
    assert (counts >= least).all()


def test_an_image_is_no_copy_of_one_that_is_not_kept(plan_of, noise):
    # The first of two equal images is the only one of its class, which goes: so the other is the first.
    records = [noise(0, label=1, split="train"), *(noise(seed, label=0, split="train") for seed in range(9))]
    plan = plan_of(records, has_split=True, min_class_images=2)
    assert plan.class_names == ("a",)
    assert plan.rejects == {0: (OTHER_LABEL, 1)}
    assert plan.kept.tolist() == [False] + [True] * 9
