"""The page about an evaluation."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from gan.data.pixels.png import decode_png
from gan.evaluation.pictures import Neighbour, Pair, Pictures, Strip
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.text.shown import inert
from tasks.evaluate.report import evaluation_html
from tasks.reports.charts import Curve
from tasks.reports.metric_texts import KINDS, OTHER, describe_metric

HOSTILE = (
    "<script>alert(1)</script>",
    "\" onload='x' & &lt;b&gt;",
    "invoice\u202egnp.exe",
    "new\nline\x00\x1b[31m",
    "{{ 7 * 7 }}{% raw %}",
    "--> ]]> </style></title></svg>",
    "lone \udcff surrogate",
)
FACTS = {
    "num_generated": 10000,
    "num_reference": 5000,
    "reference_split": "test",
    "resize": "clean",
    "network": "inception-v3-2015-12-05",
    "network_sha256": "0123abcd" * 8,
    "precision": "fp32",
    "dataset_md5": "abc",
    "seed": 31337,
}
FULL = {
    "cas": Metric(value=0.7, low=0.69, high=0.71),
    "cas_real": Metric(value=0.8),
    "fid10k": Metric(value=12.5, low=12.1, high=12.9, note="a note on it"),
    "kid10k": Metric(value=0.0042, low=0.0036, high=0.0048),
    "copies10k": Metric(value=0.0),
    "mystery": Metric(value=2.5),
}


def images(count, side=8, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def evaluation(metrics=None, **changes):
    found = {"kid10k": FULL["kid10k"]} if metrics is None else metrics
    return Evaluation(protocol=Protocol.model_validate(FACTS), metrics=found, **changes)


def pictures(names=("cat", "dog"), side=8, channels=3, pairs=2):
    shown = images(10, side, channels)
    each = [
        Neighbour(f"{names[0]}, seed {seed}", shown[0], shown[1], 8.21, shown[2], 0.5) for seed in range(1, pairs + 1)
    ]
    copies = [Pair(f"{names[0]}, seed {seed}", shown[3], shown[4], 0.25) for seed in range(1, pairs + 1)]
    return Pictures([Strip(name, shown, shown[::-1]) for name in names], each, copies, copies)


def page_of(title="version 7", subject=None, **values):
    return evaluation_html(title=title, subject=subject or {}, **{"evaluation": evaluation(), **values})


CURVES = [Curve("D_loss", list(range(5)), [1.0, 2.0, 3.0, 2.0, 1.0])]


class Page(HTMLParser):
    """A page read strictly: no tag is left open, nothing is loaded or run, pictures are told of in words."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        ids = [values["id"] for _, values in self.tags if "id" in values]
        assert len(set(ids)) == len(ids)
        assert {values["aria-labelledby"] for _, values in self.tags if "aria-labelledby" in values} <= set(ids)
        self.text = "".join(self.words)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert len(values) == len(attributes)
        assert tag not in {"script", "iframe", "object"}
        assert not [name for name in values if name.startswith("on")]
        assert all((values.get(name) or "data:").startswith("data:") for name in ("src", "href", "srcset"))
        assert tag != "img" or values["alt"]
        assert tag != "svg" or (values["role"], bool(values["aria-label"])) == ("img", True)
        assert tag != "th" or "scope" in values
        self.tags.append((tag, values))
        if tag not in {"meta", "link", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        raise AssertionError(f"<{tag}/>")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag):
        return [values for name, values in self.tags if name == tag]

    def headings(self):
        return [values["id"] for values in self.all("h2")]


def decoded(page, side, channels=3):
    shown = [base64.b64decode(each["src"].removeprefix("data:image/png;base64,")) for each in page.all("img")]
    return [decode_png(png, (side, side, channels)) for png in shown]


def test_a_page_with_everything():
    record = evaluation(FULL, per_class={"cat": FULL["kid10k"]}, warnings=["mind the gap"])
    html = page_of(
        subject={"run": "3f2a"},
        evaluation=record,
        verdict="It becomes champion.",
        pictures=pictures(),
        curves=CURVES,
        best_kimg=3,
    )
    page = Page(html)
    assert "<title>version 7: evaluation</title>" in html
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table"))
    sections = ["warnings", "scores", "classes", "samples", "neighbours", "feature-copies", "pixel-copies", "curves"]
    assert page.headings() == [*sections, "protocol"]
    parts = ["3f2a", "It becomes champion.", "mind the gap", "12.50", "12.10 to 12.90", "a note on it", "D_loss"]
    parts += [
        "0.0042",
        "0.0036 to 0.0048",
        "cat, seed 1",
        "distance 8.21",
        "distance 0.500",
        "score 0.250",
        "at 3 kimg",
    ]
    for part in [*parts, *(str(value) for value in FACTS.values()), *(name.replace("_", " ") for name in FACTS)]:
        assert part in page.text, part


def test_of_what_is_empty_nothing_is_said():
    page = Page(page_of())
    assert page.headings() == ["scores", "protocol"]
    assert {"img", "svg", "figure", "ul"}.isdisjoint(tag for tag, _ in page.tags)
    assert "champion" not in page.text
    assert len([values for values in page.all("dl") if "subject" in values["class"]]) == 0
    assert Page(page_of(evaluation=evaluation({}))).headings() == ["protocol"]
    empty = images(0)
    assert "samples" not in Page(page_of(pictures=Pictures([Strip("cat", empty, empty)]))).headings()
    assert "curves" not in Page(page_of(curves=[Curve("kid", [1, 2], [float("nan")] * 2)])).headings()


def test_metrics_stand_under_their_headings_with_what_they_mean():
    page = Page(page_of(evaluation=evaluation(FULL)))
    order = ["FID", "KID", "Copies by features", "Accuracy from generated", "Accuracy from real", "mystery"]
    places = [page.text.index(word, page.text.index("Scores")) for word in order]
    assert places == sorted(places)
    assert page.text.count("lower is better") == 3
    assert page.text.count("higher is better") == 1
    assert all(describe_metric(key).meaning in page.text for key in FULL)
    assert page.text.count("trained on real images: 0.8") == 1


@pytest.mark.parametrize(
    ("key", "name", "like"),
    [
        ("fid10k", "FID", "fid"),
        ("fid1437", "FID", "fid"),
        ("holdout_kid1k", "KID, held out", "holdout_kid"),
        ("holdout_fd_dinov2_10k", "Fréchet distance, held out (dinov2)", "holdout_fd"),
        ("gap_fid1k", "FID, training less held out", "gap_fid"),
        ("mind1k", "MIND", "mind"),
        ("sw_dinov2_10k", "Sliced Wasserstein (dinov2)", "sw"),
        ("clipped_density1k", "Clipped density", "clipped_density"),
        ("copies10k", "Copies by features", "copies"),
        ("pixel_copies500", "Copies by pixels", "pixel_copies"),
        ("cas_real", "Accuracy from real", "cas_real"),
        ("fd_dinov2_10k", "Fréchet distance (dinov2)", "fd"),
        ("kd_dinov2", "Kernel distance (dinov2)", "kd"),
        ("kd_my_net-2_1437", "Kernel distance (my_net-2)", "kd"),
    ],
)
def test_keys_are_known_by_their_longest_prefix(key, name, like):
    assert describe_metric(key) == KINDS[like]._replace(name=name)


@pytest.mark.parametrize("key", ["kidney", "my_fid10k", "", "casual"])
def test_other_keys_are_unknown(key):
    assert (describe_metric(key).name, describe_metric(key).group, describe_metric(key).better) == (key, OTHER, "")


def test_bars_show_value_interval_and_what_real_images_score():
    baseline = {"kid5k": Metric(value=0.0005, low=0.0, high=0.001)}
    metrics = {"kid10k": Metric(value=0.002, low=0.001, high=0.003), "precision10k": Metric(value=0.75)}
    html = page_of(evaluation=evaluation(metrics, baseline=baseline))
    track = re.findall(r'<span class="(value|interval|mark)" style="left:([\d.]+)%(?:;width:([\d.]+)%)?"', html)
    assert track == [
        ("value", "0.00", "50.00"),
        ("interval", "25.00", "50.00"),
        ("mark", "12.50", ""),
        ("value", "0.00", "75.00"),
    ]
    assert "real images: 0.0005" in Page(html).text


def test_classes_come_worst_first_on_one_scale():
    per_class = {
        "good": Metric(value=0.001, low=-0.001, high=0.003),
        "bad": Metric(value=0.009),
        "middle": Metric(value=0.005),
    }
    html = page_of(evaluation=evaluation({}, per_class=per_class))
    found = re.findall(r'<tr><th scope="row"><bdi[^>]*>(\w+)</bdi>', html)
    assert found == ["bad", "middle", "good"]
    widths = [float(width) for width in re.findall(r'class="value" style="left:[\d.]+%;width:([\d.]+)%', html)]
    np.testing.assert_allclose(np.divide(widths, widths[0]), [1, 5 / 9, 1 / 9], atol=2e-3)


def test_pictures_are_the_images_themselves():
    shown = pictures(("cat",))
    page = Page(page_of(pictures=shown))
    strip, match, pair = shown.strips[0], shown.neighbours[0], shown.feature_copies[0]
    matches = [match.generated, match.in_features, match.in_pixels] * 2
    pairs = [pair.generated, pair.training] * 4
    np.testing.assert_array_equal(decoded(page, 8), [*strip.real[:7], *strip.generated[:7], *matches, *pairs])
    alts = [each["alt"] for each in page.all("img")]
    assert alts[:2] == ["cat real image 1 of 7", "cat real image 2 of 7"]
    assert alts[14:17] == ["cat, seed 1: generated", "cat, seed 1: by features", "cat, seed 1: by pixels"]
    # Small pictures are enlarged a whole number of times.
    assert {each["width"] for each in page.all("img")} == {"64", "96"}
    assert sum("crisp" in values.get("class", "") for _, values in page.tags) == 4


@pytest.mark.parametrize(("real", "generated", "sides"), [(9, 0, ["real"]), (0, 9, ["generated"])])
def test_a_strip_may_have_one_side(real, generated, sides):
    page = Page(page_of(pictures=Pictures([Strip("", images(real), images(generated))])))
    assert [side for side in ("real", "generated") if f"{side} image 9 of 9" in str(page.tags)] == sides
    assert page.all("figcaption") == []


def test_grey_pictures_and_pictures_of_two_sizes():
    shown = pictures(side=16, channels=1)
    assert len(decoded(Page(page_of(pictures=shown)), 16, 1)) == 2 * 14 + 6 + 4 + 4
    mixed = Pictures([Strip("", images(3, 64), images(3, 32))])
    assert len(Page(page_of(pictures=mixed)).all("img")) == 6


def test_whole_rows_are_shown_and_more_of_them_if_there_are_few_classes():
    def count(classes, each):
        shown = images(each, 32)
        return len(Page(page_of(pictures=Pictures([Strip(str(i), shown, shown) for i in range(classes)]))).all("img"))

    assert count(1, 100) == 2 * 56
    assert count(1, 40) == 2 * 35
    assert count(1, 5) == 2 * 5
    assert count(4, 40) == 4 * 2 * 14
    assert count(20, 40) == 20 * 2 * 7


def test_no_set_makes_the_page_huge():
    names = [f"class {i}" for i in range(2100)]
    noise = images(10, 256)
    many = pictures(["x"], 256, pairs=500)
    shown = Pictures([Strip(name, noise, noise) for name in names], many.neighbours, many.feature_copies)
    record = evaluation(FULL, per_class=dict.fromkeys(names, FULL["kid10k"]), warnings=["w" * 10_000] * 300)
    curves = [Curve(f"c{i}", np.arange(10_000.0), np.random.default_rng(i).normal(size=10_000)) for i in range(30)]
    html = page_of(evaluation=record, pictures=shown, curves=curves)
    page = Page(html)
    assert len(html) < 9_000_000
    assert len(page.all("svg")) == 24
    for part in (
        "The first 50 of 2,100 classes. Shrunk to 32 × 32 pixels.",
        "The first 12 of 500.",
        "The first 2,000 of 2,100 classes are listed",
        "200 more are not shown.",
    ):
        assert part in page.text, part


def test_names_cannot_be_more_than_text():
    def everything(names):
        name = names[0]
        record = evaluation(
            {name: Metric(value=1, note=name)}, per_class=dict.fromkeys(names, FULL["kid10k"]), warnings=names
        )
        return page_of(
            title=name,
            subject=dict.fromkeys(names, name),
            evaluation=record,
            verdict=name,
            pictures=pictures(names),
            curves=[Curve(each, [0, 1], [1, 2]) for each in names],
        )

    html = everything(HOSTILE)
    page, plain = Page(html), Page(everything([f"n{i}" for i in range(len(HOSTILE))]))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert [list(values) for _, values in page.tags] == [list(values) for _, values in plain.tags]
    assert all(page.text.count(inert(name)) >= 5 for name in HOSTILE)
    assert all(each.isprintable() or each == "\n" for each in html)
    assert html.encode().decode() == html
    for position in range(len(HOSTILE)):
        Page(everything(HOSTILE[position:]))


def test_long_names_are_cut():
    name = "x" * 60_000
    html = page_of(title=name, subject={"a": name}, verdict=name, pictures=pictures([name]))
    Page(html)
    assert len(html) < 120_000


def test_the_same_arguments_give_the_same_page():
    def once():
        return page_of(evaluation=evaluation(FULL), pictures=pictures(), curves=CURVES, best_kimg=2)

    assert once() == once()


def test_the_best_checkpoint_is_marked_on_every_curve():
    page = Page(page_of(curves=[*CURVES, Curve("kid", [0, 4], [0.5, 0.1])], best_kimg=3))
    assert len(page.all("circle")) == 2
    assert "best checkpoint, at 3 kimg" in page.text
    unknown = Page(page_of(curves=CURVES, best_kimg=99))
    assert unknown.all("circle") == []
    assert "best checkpoint" not in unknown.text
