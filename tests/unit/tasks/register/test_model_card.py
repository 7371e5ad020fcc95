"""The card of a model, as a Markdown parser reads it."""

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gan.training.header import WarmStartRecord
from tasks.register.model_card import model_card

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(lambda name: "\\|" not in name)


@given(st.lists(names), names)
def test_no_name_breaks_the_card_of_a_model(evaluation, classes, odd):
    card = model_card(
        class_names=classes, tags={"dataset_md5": odd, "preset": odd}, evaluation=evaluation, kimg=1,
        warm_start=WarmStartRecord(version=4, run_id=odd, dataset_md5=odd),
    )  # fmt: skip
    assert card.replace("\n", "").isprintable()
    tokens = MarkdownIt("commonmark").enable("table").parse(card)
    kinds = {child.type for token in tokens for child in token.children or ()} | {token.type for token in tokens}
    assert not [kind for kind in kinds if kind.startswith(("html", "link", "image"))]
    assert sum(token.type == "heading_open" for token in tokens) == 1
    assert sum(token.type == "fence" for token in tokens) == 1


def test_the_card_of_a_model(evaluation):
    tags = {"dataset_md5": "abc123", "preset": "digits"}
    card = model_card(class_names=("zero", "one"), tags=tags, evaluation=evaluation, kimg=100.032)
    for part in (
        "Trained for 100.032 kimg on dataset `abc123` with preset `digits`.",
        "Labels: 0 = zero, 1 = one.",
        "`int64 [N, 2]`",
        'model_config={"device": "cpu"}',
        "| kid1k | 0.0123 | -0.0101 to 0.0145 |",
    ):
        assert part in card
    compile(card.split("```python\n")[1].split("```")[0], "card", "exec")
    card = model_card(class_names=(), tags=tags, evaluation=evaluation, kimg=1)
    assert "Labels: none: the label is ignored." in card
    assert "began with" not in card


def test_the_card_says_with_which_model_training_began(evaluation):
    tags = {"dataset_md5": "abc123", "preset": "digits"}
    began = WarmStartRecord(version=4, run_id="f00d", dataset_md5="def456")
    card = model_card(class_names=(), tags=tags, evaluation=evaluation, kimg=1, warm_start=began)
    sentence = "Training began with version 4 (run `f00d`), which was trained on dataset `def456`."
    assert f"with preset `digits`.\n{sentence}\n\nInput" in card
