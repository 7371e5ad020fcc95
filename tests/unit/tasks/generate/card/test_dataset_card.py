"""The card of a release, as a Markdown parser and a YAML parser read it."""

import json

import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gan.metrics.evaluation import Metric
from gan.text.shown import inert
from tasks.generate.card.dataset_card import dataset_card


def manifest(evaluation, count=20, copies=0, **changes):
    return {
        "name": "weekly",
        "model": {"name": "gan-generator", "version": 3, "run_id": "r77"},
        "dataset_md5": "abc123",
        "generation": {"num_images": count, "first_seed": 5, "batch_size": 10},
        "image": {"height": 8, "width": 16, "channels": 1},
        "counts": {"a": 10, "b": 10},
        "quality": evaluation.model_dump(mode="json"),
        "privacy": {"exact_copies_of_training_images": copies},
    } | changes


def front_matter(card):
    _, front, body = card.split("---\n", 2)
    return yaml.safe_load(front), body


def rows(card, heading):
    """The texts of the first table after a heading, as a real parser finds them, and all tokens of the card."""
    tokens = MarkdownIt("commonmark").enable("table").parse(card[card.index(heading) :])
    inline = [token for token in tokens if token.type == "inline" and token.level == 4]
    return ["".join(child.content for child in token.children) for token in inline], tokens


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(lambda name: "\\|" not in name)


def test_the_card_of_a_release(evaluation):
    front, body = front_matter(dataset_card(manifest(evaluation), ("a", "b")))
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
def test_the_card_of_a_release_claims_what_was_checked(evaluation, copies):
    card = dataset_card(manifest(evaluation, copies=copies), ("a", "b"))
    assert f"{copies} of 20 images equal a training image pixel for pixel." in card
    assert card.count("training image") == 1
    assert "photograph" not in card


@given(st.dictionaries(names, st.integers(0, 9), min_size=1), names)
def test_no_name_breaks_the_card_of_a_release(evaluation, counts, odd):
    odd_one = evaluation.model_copy(update={"warnings": [f"class {odd} is odd"]})
    told = manifest(evaluation, counts=counts, quality=odd_one.model_dump(mode="json"))
    _, body = front_matter(dataset_card(told, tuple(counts)))
    found, tokens = rows(body, "| class | images |")
    assert [text.strip() for text in found[2 : 2 + 2 * len(counts)]] == [
        text.strip() for name, count in counts.items() for text in (inert(name), str(count))
    ]
    assert [token for token in tokens if token.type.startswith("html")] == []
    assert sum(token.type == "heading_open" for token in tokens) == 9


def test_without_classes(evaluation):
    card = dataset_card(manifest(evaluation, counts={"unlabelled": 20}), ())
    front, body = front_matter(card)
    assert front["task_categories"] == ["unconditional-image-generation"]
    assert "| unlabelled | 20 |" in body


@pytest.mark.parametrize("name", ["v3-001", "a: b", "- x", "#1", "'", "è", "true", "a\n---\nb: c", "\u202e"])
def test_any_name_gives_valid_front_matter(evaluation, name):
    front, _ = front_matter(dataset_card(manifest(evaluation, name=name), ("a", "b")))
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
def test_size_categories_are_the_hubs(evaluation, count, category):
    assert front_matter(dataset_card(manifest(evaluation, count=count), ("a", "b")))[0]["size_categories"] == [category]


def whole(evaluation, odd="pets", **changes):
    """A manifest with all that one may say, a wild text wherever one can stand."""
    measured = evaluation.model_copy(
        update={"per_class": {odd: Metric(value=0.1)}, "variety": {odd: Metric(value=0.1)}, "warnings": [odd]}
    )
    return manifest(
        evaluation,
        name=odd,
        model={"name": odd, "version": 3, "run_id": odd},
        dataset_md5=odd,
        configuration=odd,
        counts={odd: 1, "other": 0},
        quality=measured.model_dump(mode="json"),
        privacy={
            "exact_copies_of_training_images": 0,
            odd: 1.0,
            "audit": {"figures": [{"name": odd, "said": odd, "shown": True}], "warnings": [odd]},
        },
        dataset=dict.fromkeys(("name", "source_kind", "licence", "source_url", "credit", "description"), odd),
        selection={"asked": 30, "kept": 20, "rejected": {odd: {odd: 10}}},
        checks=[{"check": odd, "passed": True, "said": odd}],
        marks={odd: odd},
        signed_by=odd,
        **changes,
    )


@given(names, st.sampled_from([None, "parquet", "webdataset", "imagefolder", "npz", "\n# other"]))
def test_no_text_breaks_any_section(evaluation, odd, format):
    told = whole(evaluation, odd)
    told["generation"] |= {"format": format}
    card = dataset_card(told, (odd, "other"))
    assert card.replace("\n", "").isprintable()
    front, body = front_matter(card)
    assert front["pretty_name"] == f"Synthetic images {odd}"
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    kinds = [child.type for token in tokens for child in token.children or ()] + [token.type for token in tokens]
    assert not [kind for kind in kinds if kind.startswith(("html", "link"))]
    assert kinds.count("image") == 1
    assert kinds.count("heading_open") == 12
    assert kinds.count("fence") == (0 if format == "\n# other" else 1)
    assert kinds.count("ordered_list_open") == 1
    read = DatasetCard(card, ignore_metadata_errors=False)
    assert read.data.to_dict() == {key: value for key, value in front.items() if value is not None}


def test_what_hugging_face_is_told(evaluation):
    dataset = {"name": "pets", "licence": "ODbL-1.0", "source_url": "https://huggingface.co/datasets/org/pets"}
    front, body = front_matter(dataset_card(manifest(evaluation, dataset=dataset), ("a", "b")))
    assert {key: front[key] for key in ("license", "source_datasets", "annotations_creators", "tags")} == {
        "license": "odbl",
        "source_datasets": ["extended|org/pets"],
        "annotations_creators": ["machine-generated"],
        "tags": ["synthetic", "gan"],
    }
    assert "| licence | `ODbL-1.0` |" in body
    front, body = front_matter(dataset_card(manifest(evaluation), ()))
    assert (front["license"], front["annotations_creators"]) == ("unknown", ["no-annotation"])
    assert "Nobody said under which licence" in body


def test_the_sections_come_in_the_order_of_questions(evaluation):
    card = dataset_card(whole(evaluation), ("pets", "other"))
    assert [line for line in card.splitlines() if line.startswith("## ")] == [
        "## Intended use", "## Out of scope", "## Known limits", "## Privacy", "## Source and licence", "## Lineage",
        "## How the images were chosen", "## Checks", "## Quality", "## Marks and signature", "## How to load it",
    ]  # fmt: skip


def test_a_card_has_no_time_and_no_place(evaluation):
    told = whole(evaluation)
    assert dataset_card(told, ("pets", "other")) == dataset_card(json.loads(json.dumps(told)), ("pets", "other"))
