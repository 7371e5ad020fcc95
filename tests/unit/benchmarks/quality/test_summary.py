"""Which side is better on which seed, and how that reads."""

import pytest
from quality.summary import comparisons, metric_named, sentences, table


def metric(value, half=0.5):
    return {"value": value, "low": value - half, "high": value + half}


def record(variant, seed, fid, kid, **changes):
    return {
        "cell": f"trial-{variant}-5s-seed{seed}",
        "experiment": "trial",
        "subset": "all",
        "variant": variant,
        "first_variant": "ours",
        "seed": seed,
        "budget": "5s",
        "images": 64,
        "training": {"images": 640, "seconds": 5.01, "images_per_second": 127.7},
        "metrics": {"fid64": metric(fid), "kid64": metric(kid, 0.01), "recall64": metric(0.5)},
    } | changes


RECORDS = [
    record("ours", 0, 10.0, 0.02),
    record("dcgan", 0, 20.0, 0.03),
    record("ours", 1, 12.0, -0.01),
    record("dcgan", 1, 11.5, 0.03),
    record("dcgan", 2, 1.0, 0.01),
]


def test_seeds_that_both_sides_have_are_compared():
    fid, kid = comparisons(RECORDS)
    assert (fid["metric"], fid["first"], fid["other"], fid["seeds"]) == ("fid64", "ours", "dcgan", [0, 1])
    assert fid["values"] == {"ours": [10.0, 12.0], "dcgan": [20.0, 11.5]}
    assert fid["ratios"] == pytest.approx([2.0, 11.5 / 12])
    assert fid["median_ratio"] == pytest.approx((2 + 11.5 / 12) / 2)
    assert not fid["lower_on_every_seed"]
    assert kid["lower_on_every_seed"]
    assert kid["ratios"] == [pytest.approx(1.5), None]
    assert fid["training_seconds"] == {"ours": [5.01, 5.01], "dcgan": [5.01, 5.01]}


def test_intervals_that_touch_are_not_apart():
    apart, touching = (
        comparisons([record("ours", 0, 10.0, 0.0), record("dcgan", 0, fid, 0.0)])[0]["intervals_apart_on_every_seed"]
        for fid in (11.01, 10.9)
    )
    assert (apart, touching) == (True, False)


@pytest.mark.parametrize("key", ["subset", "budget", "experiment", "images"])
def test_what_differs_in_more_than_its_side_is_not_compared(key):
    other = record("dcgan", 0, 20.0, 0.03, **{key: "another"})
    assert comparisons([RECORDS[0], other]) == []


def test_without_the_first_side_nothing_is_compared():
    assert comparisons([record("dcgan", 0, 1.0, 1.0), record("other", 0, 1.0, 1.0)]) == []


def test_a_metric_is_found_whatever_its_number_of_images():
    found = {"metrics": {"kid5k": metric(1.0), "kid_of_training_images": metric(2.0)}}
    assert metric_named(found, "kid") == ("kid5k", metric(1.0))
    with pytest.raises(KeyError):
        metric_named(found, "fid")


def test_the_table_leaves_columns_out_that_no_cell_fills():
    lines = table(RECORDS).splitlines()
    assert len(lines) == 6
    assert "copies" not in lines[0]
    assert lines[1].split()[:4] == ["trial-ours-5s-seed0", "0.6", "5", "128"]
    assert lines[1].endswith("10.00 (9.50 to 10.50)   20.00 (10.00 to 30.00)   0.500 (0.000 to 1.000)")
    share = {"share": {"value": 0.01, "low": 0.0, "high": 0.025}}
    copied = record("ours", 0, 10.0, 0.02, copies={"features": share, "pixels": share})
    assert "1.0 (0.0 to 2.5) %" in table([copied])


def test_a_sentence_says_who_is_lower():
    first, second = sentences(comparisons(RECORDS)).splitlines()
    assert (
        first == "trial 5s, fid64: ours is not lower on every seed than dcgan; dcgan / ours on seeds 0, 1: 2.00, 0.96"
    )
    assert second.startswith("trial 5s, kid64: ours is lower on every seed than dcgan; ")
    assert second.endswith(": 1.50, -")
