"""The card of a model, as a Markdown parser reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gan.metrics.evaluation import Metric
from gan.training.header import WarmStartRecord
from tasks.register.card_facts import CardFacts
from tasks.register.model_card import LONGEST, description, model_card

FOUND = CardFacts(run_id="f00")

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(lambda name: "\\|" not in name)


@given(st.lists(names), names)
def test_no_name_breaks_the_card_of_a_model(evaluation, classes, odd):
    card = model_card(
        model="pets", class_names=classes, tags={"dataset_md5": odd, "preset": odd}, evaluation=evaluation, kimg=1,
        warm_start=WarmStartRecord(version=4, run_id=odd, dataset_md5=odd),
        found=CardFacts(
            run_id=odd, source=odd, licence=odd, device=odd, energy_of=odd, watt_hours=1.0, code=odd, samples=odd,
            source_url=odd, credit=odd, description=odd,
        ),
    )  # fmt: skip
    assert card.replace("\n", "").isprintable()
    tokens = MarkdownIt("commonmark").enable("table").parse(card)
    kinds = {child.type for token in tokens for child in token.children or ()} | {token.type for token in tokens}
    assert not [kind for kind in kinds if kind.startswith(("html", "link", "image"))]
    assert sum(token.type == "heading_open" for token in tokens) == 4
    assert sum(token.type == "tr_open" for token in tokens) == 10 + 3 + (3 if odd else 0)
    assert sum(token.type == "fence" for token in tokens) == 1


def test_the_card_of_a_model(evaluation):
    tags = {"dataset_md5": "abc123", "preset": "digits"}
    card = model_card(
        model="pets", class_names=("zero", "one"), tags=tags, evaluation=evaluation, kimg=100.032, found=FOUND
    )
    for part in (
        "Trained for 100.032 kimg on dataset `abc123` with preset `digits`.",
        "Labels: 0 = zero, 1 = one.",
        "`int64 [N, 2]`",
        'load_model("models:/pets@champion", model_config={"device": "cpu"})',
        "| kid1k | 0.0123 | -0.0101 to 0.0145 |",
    ):
        assert part in card
    compile(card.split("```python\n")[1].split("```")[0], "card", "exec")
    card = model_card(model="pets", class_names=(), tags=tags, evaluation=evaluation, kimg=1, found=FOUND)
    assert "Labels: none: the label is ignored." in card
    assert "began with" not in card


def test_the_card_says_with_which_model_training_began(evaluation):
    tags = {"dataset_md5": "abc123", "preset": "digits"}
    began = WarmStartRecord(version=4, run_id="f00d", dataset_md5="def456")
    card = model_card(
        model="pets", class_names=(), tags=tags, evaluation=evaluation, kimg=1, warm_start=began, found=FOUND
    )
    sentence = "Training began with version 4 (run `f00d`), which was trained on dataset `def456`."
    assert f"with preset `digits`.\n{sentence}\n\nInput" in card


def test_the_card_says_what_the_training_took_and_what_is_unknown(evaluation):
    tags = {"dataset_md5": "abc123", "preset": "digits"}
    found = CardFacts(
        run_id="f00", source="photos of *cats*", licence="CC0-1.0", num_train=1435, minutes=2.345, device="EPYC | AVX",
        workers=1, watt_hours=12.345, energy_of="RAPL", code="ganflow 1, ab", samples="samples/samples-1.png",
    )  # fmt: skip
    card = model_card(model="pets", class_names=(), tags=tags, evaluation=evaluation, kimg=1, found=found)
    for row in (
        "| images from | `photos of *cats*` |",
        "| licence of the images | CC0-1.0 |".replace("CC0-1.0", "`CC0-1.0`"),
        "| training images | 1435 |",
        "| time | 2.35 minutes of steps, 1 worker |",
        "| device | `EPYC \\| AVX` |",
        "| energy | 12.3 Wh of the whole machine (RAPL) since the training was last started |",
        "| sample grid | artifact `samples/samples-1.png` of that run |",
    ):
        assert row in card
    card = model_card(model="pets", class_names=(), tags=tags, evaluation=evaluation, kimg=1, found=FOUND)
    for row in ("| images from | unknown |", "| licence of the images | unknown |", "| energy | not measured |"):
        assert row in card


def test_the_card_says_what_was_measured_of_copies_and_of_use(evaluation):
    tags = {"dataset_md5": "abc123", "preset": "digits"}

    def card(**metrics):
        given = {key: Metric(value=value) for key, value in metrics.items()}
        protocol = evaluation.protocol.model_copy(update={"num_training": 900})
        measured = evaluation.model_copy(update={"metrics": given, "protocol": protocol})
        return model_card(model="pets", class_names=(), tags=tags, evaluation=measured, kimg=1, found=FOUND)

    assert "Copies of training images were not looked for." in card(kid1k=0.1)
    assert "learns from its images was not measured" in card(kid1k=0.1)
    both = card(kid1k=0.1, copies1k=0.25, pixel_copies1k=0.0, cas=0.5)
    assert "among 900 training images: `copies1k` 0.25, `pixel_copies1k` 0." in both
    assert "Classifiers were trained on its images: `cas` 0.5." in both
    assert both.index("## Scores") < both.index("## What it was not tested for")


@pytest.mark.parametrize(("classes", "sections"), [(10, 3), (220, 2), (250, 1), (3000, 0)])
def test_a_description_is_as_much_of_the_card_as_there_is_room_for(evaluation, classes, sections):
    """MLflow's table has 5,000 characters for it; SQLite takes more, PostgreSQL fails."""
    tags = {"dataset_md5": "abc123", "preset": "digits"}
    names = [f"class {index}" for index in range(classes)]
    card = model_card(model="pets", class_names=names, tags=tags, evaluation=evaluation, kimg=1, found=FOUND)
    short = description(card)
    assert len(short) <= LONGEST
    assert short.count("\n## ") == sections
    whole = "The whole card is the artifact `model_card.md` of the training run."
    assert (short == card) == (whole not in short) == (sections == 3)
    assert card.startswith(short.partition(f"\n{whole}")[0].rstrip("\n"))


def test_the_card_says_whose_images_they_were(evaluation):
    tags = {"dataset_md5": "abc123", "preset": "digits"}
    found = CardFacts(
        run_id="f00",
        licence="CC-BY-4.0",
        source_url="https://example.org/a|b",
        credit="A. *Person*",
        description="cats",
    )
    card = model_card(model="pets", class_names=(), tags=tags, evaluation=evaluation, kimg=1, found=found)
    for row in (
        "| licence of the images | `CC-BY-4.0` |",
        "| images published at | `https://example.org/a\\|b` |",
        "| credit | `A. *Person*` |",
        "| what they show | cats |",
        "The licence is that of the images;",
    ):
        assert row in card
    card = model_card(model="pets", class_names=(), tags=tags, evaluation=evaluation, kimg=1, found=FOUND)
    assert "Nobody said under which licence the images are" in card
    assert "credit" not in card


def test_weights_of_others_that_taught_it_are_named(evaluation):
    found = FOUND.model_copy(update={"learnt_through": "some weights"})
    card = model_card(model="pets", class_names=(), tags={"dataset_md5": "a", "preset": "b"}, evaluation=evaluation,
        kimg=1, found=found)  # fmt: skip
    assert "| learnt through | some weights: the discriminator judged by its features, and no weight of it" in card
    card = model_card(model="pets", class_names=(), tags={"dataset_md5": "a", "preset": "b"}, evaluation=evaluation,
        kimg=1, found=FOUND)  # fmt: skip
    assert "learnt through" not in card
