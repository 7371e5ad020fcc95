"""The cards of releases and models."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.text.shown import inert
from tasks.reports.cards import dataset_card, metrics_table, model_card

PROTOCOL = Protocol(
    num_generated=1000,
    num_reference=900,
    reference_split="test",
    resize="tf1",
    network="inception",
    network_sha256="s",
    precision="bf16",
    dataset_md5="abc123",
    seed=0,
)
METRICS = {"fid1k": Metric(value=31.23456), "kid1k": Metric(value=0.0123, low=-0.0101, high=0.0145)}
EVALUATION = Evaluation(protocol=PROTOCOL, metrics=METRICS, warnings=["few images: KID decides"])


def manifest(count=20, copies=0, **changes):
    return {
        "name": "weekly",
        "model": {"name": "gan-generator", "version": 3, "run_id": "r77"},
        "dataset_md5": "abc123",
        "generation": {"num_images": count, "first_seed": 5, "batch_size": 10},
        "image": {"height": 8, "width": 16, "channels": 1},
        "counts": {"a": 10, "b": 10},
        "quality": EVALUATION.model_dump(mode="json"),
        "privacy": {"exact_copies_of_training_images": copies},
    } | changes


def front_matter(card):
    _, front, body = card.split("---\n", 2)
    return yaml.safe_load(front), body


def test_the_table_of_metrics():
    lines = metrics_table(EVALUATION).splitlines()
    assert lines[2:4] == ["| fid1k | 31.235 | – |", "| kid1k | 0.0123 | -0.0101 to 0.0145 |"]
    text = "\n".join(lines)
    for part in (
        "1000 generated images against 900",
        "`test`",
        "resize `tf1`",
        "inception in bf16",
        "dataset `abc123`",
    ):
        assert part in text
    assert lines[-1] == "> few images: KID decides"
    assert lines[-2] == ""


def test_the_card_of_a_release():
    front, body = front_matter(dataset_card(manifest(), ("a", "b")))
    assert front["task_categories"] == ["image-classification"]
    assert front["size_categories"] == ["n<1K"]
    assert front["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "train-*.parquet"}]}
    ]
    for part in (
        "# Synthetic images weekly",
        "20 images of 16x8 pixels",
        "version 3 of the model `gan-generator`",
        "![samples](samples.png)",
        "| a | 10 |\n| b | 10 |",
        "dataset `abc123` in run `r77`",
        "0 of 20 images equal a training image",
        "| fid1k | 31.235 | – |",
    ):
        assert part in body


@pytest.mark.parametrize("copies", [0, 3])
def test_the_card_of_a_release_claims_what_was_checked(copies):
    card = dataset_card(manifest(copies=copies), ("a", "b"))
    assert f"{copies} of 20 images equal a training image pixel for pixel." in card
    assert card.count("training image") == 1
    assert "photograph" not in card


def rows(card, heading):
    """The texts of the first table after a heading, as a real parser finds them, and all tokens of the card."""
    tokens = MarkdownIt("commonmark").enable("table").parse(card[card.index(heading) :])
    inline = [token for token in tokens if token.type == "inline" and token.level == 4]
    return ["".join(child.content for child in token.children) for token in inline], tokens


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(lambda name: "\\|" not in name)


@given(st.dictionaries(names, st.integers(0, 9), min_size=1), names)
def test_no_name_breaks_the_card_of_a_release(counts, odd):
    evaluation = EVALUATION.model_copy(update={"warnings": [f"class {odd} is odd"]})
    told = manifest(counts=counts, quality=evaluation.model_dump(mode="json"))
    _, body = front_matter(dataset_card(told, tuple(counts)))
    found, tokens = rows(body, "| class | images |")
    assert [text.strip() for text in found[2 : 2 + 2 * len(counts)]] == [
        text.strip() for name, count in counts.items() for text in (inert(name), str(count))
    ]
    assert [token for token in tokens if token.type.startswith("html")] == []
    assert sum(token.type == "heading_open" for token in tokens) == 1


@given(st.lists(names), names)
def test_no_name_breaks_the_card_of_a_model(classes, odd):
    card = model_card(
        class_names=classes, tags={"dataset_md5": odd, "preset": odd}, evaluation=EVALUATION, kimg=1,
        warm_start={"version": 4, "run_id": odd, "dataset_md5": odd},
    )  # fmt: skip
    assert card.replace("\n", "").isprintable()
    tokens = MarkdownIt("commonmark").enable("table").parse(card)
    kinds = {child.type for token in tokens for child in token.children or ()} | {token.type for token in tokens}
    assert not [kind for kind in kinds if kind.startswith(("html", "link", "image"))]
    assert sum(token.type == "heading_open" for token in tokens) == 1
    assert sum(token.type == "fence" for token in tokens) == 1


def test_without_classes():
    card = dataset_card(manifest(counts={"unlabelled": 20}), ())
    front, body = front_matter(card)
    assert front["task_categories"] == ["unconditional-image-generation"]
    assert "| unlabelled | 20 |" in body


@pytest.mark.parametrize("name", ["v3-001", "a: b", "- x", "#1", "'", "è", "true", "a\n---\nb: c", "\u202e"])
def test_any_name_gives_valid_front_matter(name):
    front, _ = front_matter(dataset_card(manifest(name=name), ("a", "b")))
    assert front["pretty_name"] == f"Synthetic images {name}"


@pytest.mark.parametrize(
    ("count", "category"),
    [
        (1, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (50_000, "10K<n<100K"),
        (999_999, "100K<n<1M"),
        (1_000_000, "1M<n<10M"),
        (10_000_000, "10M<n<100M"),
    ],
)
def test_size_categories_are_the_hubs(count, category):
    assert front_matter(dataset_card(manifest(count=count), ("a", "b")))[0]["size_categories"] == [category]


def test_the_card_of_a_model():
    tags = {"dataset_md5": "abc123", "preset": "digits"}
    card = model_card(class_names=("zero", "one"), tags=tags, evaluation=EVALUATION, kimg=100.032)
    for part in (
        "Trained for 100.032 kimg on dataset `abc123` with preset `digits`.",
        "Labels: 0 = zero, 1 = one.",
        "`int64 [N, 2]`",
        'model_config={"device": "cpu"}',
        "| kid1k | 0.0123 | -0.0101 to 0.0145 |",
    ):
        assert part in card
    compile(card.split("```python\n")[1].split("```")[0], "card", "exec")
    card = model_card(class_names=(), tags=tags, evaluation=EVALUATION, kimg=1)
    assert "Labels: none: the label is ignored." in card
    assert "began with" not in card


def test_the_card_says_with_which_model_training_began():
    tags = {"dataset_md5": "abc123", "preset": "digits"}
    began = {"version": 4, "run_id": "f00d", "dataset_md5": "def456"}
    card = model_card(class_names=(), tags=tags, evaluation=EVALUATION, kimg=1, warm_start=began)
    sentence = "Training began with version 4 (run `f00d`), which was trained on dataset `def456`."
    assert f"with preset `digits`.\n{sentence}\n\nInput" in card
