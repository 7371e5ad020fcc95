"""The page and the Prefect artifacts about an ingest."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from gan.data.building.build import Built
from gan.data.building.file_counts import FileCounts
from gan.data.pixels.png import decode_png
from gan.data.store.dataset import DatasetInfo
from gan.text.shown import inert
from tasks.ingest.report import failure_html, report_html
from tasks.reports import artifacts
from tasks.reports.page import thumbnail_side, thumbnails

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>.png",
    "\"quoted\" 'twice' & &lt;b&gt;",
    "invoice\u202egnp.exe",
    "isolated \u2067\u2069 mark \u200f end",
    "new\nline\ttab\x00\x1b[31m",
    "{{ 7 * 7 }}{% raw %}",
    "--> ]]> </style></title>",
    "lone \udcff surrogate",
    "a\u00a0b\u2028c",
)
VOID = {"meta", "link", "img"}


def info(**changes):
    values = {
        "name": "animals",
        "source_kind": "folder",
        "resolution": 8,
        "channels": 3,
        "class_names": ("cat", "dog"),
        "crop": "centre",
        "filter": "lanczos",
        "background": "#ffffff",
        "class_map": {},
        "split": "hash",
        "holdout_fraction": 0.1,
        "num_train": 1300,
        "num_test": 200,
        "counts": {"train": {"cat": 1000, "dog": 300}, "test": {"cat": 0, "dog": 200}},
        "mean": (0.1, 0.2, 0.3),
        "std": (0.25, 0.25, 0.125),
        "rejects": {},
    }
    return DatasetInfo.model_validate(values | changes)


def built(notes=(), images=10, **changes):
    about = info(**changes)
    shape = (images, about.resolution, about.resolution, about.channels)
    rng = np.random.default_rng(0)
    samples = {name: rng.integers(0, 256, shape, dtype=np.uint8) for name in about.counts["train"]}
    return Built(about, samples, tuple(notes), (5, 60, 900), 0)


def of_classes(names, **changes):
    counts = dict.fromkeys(names, 7)
    number = 7 * len(names)
    return built(
        class_names=names, counts={"train": counts, "test": counts}, num_train=number, num_test=number, **changes
    )


def quarantine(folder, rejects):
    path = folder / "quarantine.jsonl"
    lines = [json.dumps({"path": path, "reason": reason, "detail": detail}) for path, reason, detail in rejects]
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return path


class Page(HTMLParser):
    """A page read strictly: whatever a careless browser would mend fails here."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.words, self.ids, self.labels = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)
        assert set(self.labels) <= set(self.ids)
        self.text = "".join(self.words)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert len(values) == len(attributes)
        assert not [name for name in values if name.startswith("on")]
        assert all((values.get(name) or "data:").startswith("data:") for name in ("src", "href", "srcset"))
        self.ids += [values["id"]] if "id" in values else []
        self.labels += [values["aria-labelledby"]] if "aria-labelledby" in values else []
        assert tag != "img" or values["alt"]
        assert tag != "th" or "scope" in values
        self.tags.append((tag, values))
        if tag not in VOID:
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


def rows(html):
    """Return the text of each cell of each row of the page's tables."""
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        found.append([re.sub(r"<[^>]+>", "", cell).strip() for cell in cells])
    return found


def pictures(page):
    return [base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) for image in page.all("img")]


@pytest.fixture
def shown(monkeypatch):
    found = {}
    for sort in ("markdown", "table"):
        monkeypatch.setattr(artifacts, f"create_{sort}_artifact", lambda key, **values: found.update({key: values}))
    return found


def test_a_page_about_a_dataset(tmp_path):
    result = built(notes=["class dog is small"])
    html = report_html(result, "abc123", tmp_path / "none", "200 images more than before.")
    page = Page(html)
    assert [values["lang"] for values in page.all("html")] == ["en"]
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table"))
    assert "<title>animals: dataset report</title>" in html
    for part in (
        "animals",
        "abc123",
        "200 images more than before.",
        "class dog is small",
        "image files",
        "8 × 8 pixels",
        "RGB",
        "5 to 900 pixels",
        "median 60",
        "13.3 % of the images",
        "by the hash of their pixels, 10 % wanted",
        "300 to 1,000 images to train on",
        "R 0.100 ± 0.250",
        "B 0.300 ± 0.125",
        "every file of the source is in the dataset",
    ):
        assert part in page.text, part
    assert rows(html)[1:] == [
        ["cat", "1,000", "0", "1,000", ""],
        ["dog", "300", "200", "500", ""],
        ["total", "1,300", "200", "1,500", ""],
    ]
    widths = [values["style"] for values in page.all("span") if "style" in values]
    assert widths == ["width:100.00%", "width:0.00%", "width:30.00%", "width:20.00%"]


@pytest.mark.parametrize(
    ("windows", "words"),
    [({"signed": [-1000, 3000], "unsigned": [0, 4095]}, "signed: -1000 to 3000"), ({}, "as each file says")],
)
def test_what_images_of_more_than_8_bits_became(tmp_path, windows, words):
    text = Page(report_html(built(window="auto", windows=windows), None, tmp_path / "none")).text
    for part in ("Values shown as 0 to 255", words, "data.window=auto"):
        assert part in text, part
    assert "Values shown" not in Page(report_html(built(), None, tmp_path / "none")).text


def test_samples_are_the_images_themselves(tmp_path):
    result = built(images=3)
    page = Page(report_html(result, None, tmp_path / "none"))
    images = [decode_png(png, (8, 8, 3)) for png in pictures(page)]
    np.testing.assert_array_equal(images, np.concatenate(list(result.samples.values())))
    assert [image["alt"] for image in page.all("img")][2:4] == ["cat, image 3 of 3", "dog, image 1 of 3"]
    assert all(figure["class"] == "strip pixels" for figure in page.all("figure"))
    assert "version" not in page.text
    assert "shrunk" not in page.text


def test_the_source_may_have_split_and_may_have_no_labels(tmp_path):
    result = built(
        class_names=(),
        counts={"train": {"unlabelled": 90}, "test": {"unlabelled": 10}},
        num_train=90,
        num_test=10,
        split="source",
        holdout_fraction=None,
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        crop="pad",
        background="#123456",
    )
    page = Page(report_html(result, None, tmp_path / "none"))
    for part in ("as the source says", "grey", "0.500 ± 0.250", "with bars of #123456", "unlabelled", "10.0 % of"):
        assert part in page.text, part
    assert "Class sizes" not in page.text
    assert len(page.all("img")) == 10


@pytest.mark.parametrize(
    ("sides", "value", "remark"),
    [
        ((28, 28, 28), "28 pixels", "all were enlarged to 32"),
        ((10, 20, 1999), "10 to 1,999 pixels", "most were enlarged to 32"),
        ((10, 32, 64), "10 to 64 pixels", None),
    ],
)
def test_images_that_were_enlarged_are_told_of(tmp_path, sides, value, remark):
    result = built(resolution=32)
    page = Page(report_html(Built(result.info, result.samples, (), sides, 0), None, tmp_path / "none"))
    assert value in page.text
    assert remark in page.text if remark else "enlarged" not in page.text


def test_the_class_map_is_shown(tmp_path):
    html = report_html(built(class_map={"tabby": "cat", "<i>": None}), None, tmp_path / "none")
    page = Page(html)
    assert "2 classes are renamed, merged or left out" in page.text
    assert ["tabby", "cat"] in rows(html)
    assert ["&lt;i&gt;", "left out"] in rows(html)
    assert "every file of the source" not in page.text


def test_names_cannot_be_more_than_text(tmp_path):
    names = tuple(name.replace("\udcff", "") for name in HOSTILE)
    changes = {"class_map": dict.fromkeys(names, names[1]), "rejects": {HOSTILE[0]: len(HOSTILE)}}
    result = of_classes(names, notes=HOSTILE, name=names[0], **changes)
    listed = quarantine(tmp_path, [(name, "not an image", name) for name in HOSTILE])
    html = report_html(result, names[2], listed, names[7])
    page = Page(html)
    plain = Page(report_html(of_classes(("a",), notes=["n"], class_map={"x": "y"}, rejects={"r": 9}), "m", listed, "c"))
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in plain.tags}
    assert {name for _, values in page.tags for name in values} == {name for _, values in plain.tags for name in values}
    # Twice at least: as a note and as a file, and most as a class too.
    assert all(page.text.count(inert(name)) >= 2 for name in HOSTILE)
    assert {image["alt"] for image in page.all("img")} >= {f"{inert(name)}, image 1 of 10" for name in names}
    assert all(each.isprintable() or each == "\n" for each in html)
    assert html.encode().decode() == html


def test_no_name_makes_the_page_huge(tmp_path):
    listed = quarantine(tmp_path, [("x" * 60_000 + ".png", "broken image", "y" * 60_000)] * 100)
    html = report_html(built(rejects={"broken image": 100}, notes=["z" * 60_000]), None, listed)
    Page(html)
    assert len(html) < 150_000
    assert f"{'x' * 116}.png" in html


def test_the_same_ingest_gives_the_same_page_anywhere(tmp_path):
    pages = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        listed = quarantine(tmp_path / place, [("a.png", "empty file", "")])
        pages.append(report_html(built(rejects={"empty file": 1}), "abc", listed, "as before"))
        pages.append(failure_html("animals", f"too many: see {listed}, repair them", listed))
    assert pages[:2] == pages[2:]
    assert not any(str(tmp_path) in page for page in pages)


def test_rejects_by_reason_and_by_file(tmp_path):
    counts = {"duplicate": 1200, "empty file": 34}
    listed = quarantine(tmp_path, [(f"{i}.png", "duplicate", "of <a>.png") for i in range(1234)])
    html = report_html(built(rejects=counts), None, listed)
    page, table = Page(html), rows(html)
    meaning = "equal, pixel for pixel, to an image of the same class that is kept"
    at = table.index(["duplicate", "1,200", meaning])
    assert table[at + 1 : at + 3] == [["empty file", "34", ""], ["total", "1,234", ""]]
    files = [row for row in table if row[-1] == "of &lt;a&gt;.png"]
    assert [row[0] for row in files] == [f"{i}.png" for i in range(1000)]
    assert "234 more files are listed in quarantine.jsonl" in page.text


def test_a_thousand_classes_of_large_images(tmp_path):
    names = tuple(f"class {i}" for i in range(1000))
    small = of_classes(names, resolution=256, images=1, notes=[f"note {i}" for i in range(1500)])
    # Noise, which no PNG makes smaller.
    images = np.random.default_rng(0).integers(0, 256, (10, 256, 256, 3), dtype=np.uint8)
    result = Built(small.info, dict.fromkeys(names, images), small.notes, small.sides, 0)
    html = report_html(result, None, tmp_path / "none")
    page = Page(html)
    assert len(html) < 6_000_000
    assert len(page.all("figure")) == 50
    assert "for the first 50 of 1,000 classes, shrunk to 48 × 48 pixels" in page.text
    assert all(decode_png(png, (48, 48, 3)).size for png in pictures(page)[::50])
    assert len([row for row in rows(html) if row[0].startswith("class ")]) == 1000
    assert "1490 more" in page.text.replace(",", "")
    assert "500 more are not shown" in page.text


def test_classes_beyond_the_longest_table_are_counted(tmp_path):
    page = Page(report_html(of_classes(tuple(f"class {i}" for i in range(2100)), images=1), None, tmp_path / "none"))
    assert "The first 2,000 of 2,100 classes are listed" in page.text
    assert "class 1999" in page.text
    assert "class 2000" not in page.text


def test_pictures_shrink_only_as_far_as_they_must():
    def side(resolution, classes, most):
        images = np.zeros((10, resolution, resolution, 3), np.uint8)
        return thumbnail_side({str(i): images for i in range(classes)}, 50, most)

    assert side(32, 2, 10**6) == 32
    assert side(64, 1000, 10 * 50 * 64 * 64 * 3) == 64
    assert side(64, 1000, 10 * 50 * 64 * 64 * 3 - 1) == 48
    assert side(1024, 2, 10**6) == 96
    assert side(8, 1000, 1) == 8
    assert side(128, 1000, 1) == 16
    grey = np.full((2, 64, 64, 1), 77, np.uint8)
    np.testing.assert_array_equal(thumbnails(grey, 16), np.full((2, 16, 16, 1), 77, np.uint8))
    assert thumbnails(grey, 96) is grey


def test_a_refused_ingest_has_a_page_too(tmp_path):
    listed = quarantine(
        tmp_path, [*[(f"{i}.png", "empty file", "") for i in range(1500)], ("<b>\u202e", "not an image", "x")]
    )
    html = failure_html("<i>mine</i>", f"1501 of 1600 files are rejected: see {listed}, repair them", listed)
    page = Page(html)
    assert "&lt;i&gt;mine&lt;/i&gt;: refused ingest</title>" in html
    assert "1501 of 1600 files are rejected: see quarantine.jsonl, repair them" in page.text
    assert ["empty file", "1,500", ""] in rows(html)
    assert "501 more files are listed in quarantine.jsonl" in page.text
    assert page.all("img") == []
    assert {"figure", "dl"}.isdisjoint(tag for tag, _ in page.tags)


def test_a_refused_ingest_without_rejects(tmp_path):
    page = Page(failure_html("mine", "there is no image", tmp_path / "quarantine.jsonl"))
    assert "there is no image" in page.text
    assert page.all("table") == []


def test_the_artifacts_of_a_dataset(shown):
    result = of_classes(("ice_cream", *HOSTILE[:2]), rejects={"empty file": 2}, name="**bold**")
    artifacts.dataset(result, "abc123")
    table, samples = shown["dataset"], shown["dataset-samples"]
    assert [row["class"] for row in table["table"]] == ["ice_cream", *(f"`{name}`" for name in HOSTILE[:2])]
    assert (table["table"][0]["train"], table["table"][0]["test"]) == (7, 7)
    for part in ("`abc123`", "`**bold**`", "21 + 21 images", "0.100 ± 0.250, 0.200", "2 files rejected"):
        assert part in table["description"]
    blocks = samples["markdown"].split("\n\n")
    assert blocks[::2] == ["ice_cream", *(f"`{name}`" for name in HOSTILE[:2])]
    png = base64.b64decode(re.fullmatch(r"!\[[^]]+\]\(data:image/png;base64,(.+)\)", blocks[1])[1])
    strip = decode_png(png, (64, 10 * 66 - 2, 3))
    np.testing.assert_array_equal(strip[::8, :64:8], result.samples["ice_cream"][0])


def test_many_classes_make_a_moderate_artifact(shown):
    names = tuple(f"class {i}" for i in range(30))
    artifacts.dataset_samples(of_classes(names, resolution=64).samples, "abc")
    text = shown["dataset-samples"]["markdown"]
    assert text.count("![") == 20
    assert text.endswith("These are 20 of 30 classes.")
    assert len(text) < 2_000_000


def test_the_artifact_of_rejects(shown, tmp_path):
    artifacts.rejects({}, tmp_path / "none")
    assert shown == {}
    listed = quarantine(tmp_path, [("a\n- `b` <i>.png", "empty file", "")] + [("c.png", "blank", "white")] * 69)
    artifacts.rejects({"empty file": 1, "blank": 69}, listed)
    lines = shown["dataset-rejects"]["markdown"].split("\n")
    assert lines[2:5] == ["| blank | 69 |", "| empty file | 1 |", ""]
    assert lines[5] == r"- ``a\n- `b` <i>.png``: empty file"
    assert lines[6:55] == ["- `c.png`: blank (white)"] * 49
    assert lines[55:] == ["", "20 more are listed in `quarantine.jsonl`."]
    assert shown["dataset-rejects"]["description"] == "70 files rejected"


@pytest.mark.parametrize(
    ("reason", "cell"),
    [
        ("too long and thin", "too long and thin"),
        ("a|b", r"`a\|b`"),
        ("a\\|b", r"`a\\\|b`"),
        ("`a", "`` `a ``"),
        ("[a](http://b)", "`[a](http://b)`"),
        ("_a_", "`_a_`"),
    ],
)
def test_no_reason_leaves_its_cell(shown, tmp_path, reason, cell):
    artifacts.rejects({reason: 3}, quarantine(tmp_path, []))
    assert shown["dataset-rejects"]["markdown"].split("\n")[2] == f"| {cell} | 3 |"


def test_whose_images_they_are_is_a_fact(tmp_path):
    told = {
        "licence": "CC-BY-4.0",
        "source_url": "https://a.example/?b&c",
        "credit": HOSTILE[0],
        "description": "x\x1b",
    }
    page = Page(report_html(built(**told), "abc", tmp_path / "none"))
    assert "CC-BY-4.0" in page.text
    assert "https://a.example/?b&c" in page.text
    assert HOSTILE[0] in page.text
    assert r"x\x1b" in page.text
    assert not page.all("script")
    assert not page.all("a")
    nothing = Page(report_html(built(), "abc", tmp_path / "none")).text
    assert re.search(r"Licence\s*not said\s*ganflow ingest --license says it", nothing)
    assert "Published at" not in nothing


def test_the_files_of_the_source_and_what_was_asked_for_are_said(tmp_path):
    made = built(asked={"classes_from": "2", "exclude": ("masks/*", "<b>")})
    files = FileCounts(1530, 1500, {"documents": 7, "left behind by systems": 3}, 20)
    text = report_html(replace(made, files=files), None, tmp_path / "none")
    assert "1,530" in text
    assert "1,500 images, 7 documents, 3 left behind by systems, 20 rejected" in text
    assert "--classes-from 2" in text
    assert "--exclude masks/*" in text
    assert "--exclude &lt;b&gt;" in text
