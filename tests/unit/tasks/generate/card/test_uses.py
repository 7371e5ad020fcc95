"""What a card says a release is for, is not for, and is known to get wrong."""

from gan.metrics.evaluation import Metric
from tasks.generate.card.uses import limits_section, uses_sections

COUNTS = {"cat": 100, "dog": 100}


def test_uses_say_that_counts_were_asked_for():
    for balance, words in (
        ("equal", "equally many"),
        ("real", "of the world"),
        ("fill", "lacked"),
        ("quotas", "asked"),
    ):
        said = uses_sections({"generation": {"balance": balance}, "counts": COUNTS})
        assert words in said
        assert "## Intended use" in said
        assert "## Out of scope" in said
    assert "how many there are was asked for" in uses_sections({"generation": {}, "counts": {"unlabelled": 3}})


def test_limits_by_class_begin_with_the_worst(evaluation):
    measured = evaluation.model_copy(update={
        "per_class": {"cat": Metric(value=0.1, low=0, high=0.2), "dog": Metric(value=0.3), "e|\nk": Metric(value=0.2)},
        "variety": {"cat": Metric(value=0.9), "dog": Metric(value=0.2), "newt": Metric(value=0.5)},
    })  # fmt: skip
    said = limits_section({"counts": {"cat": 100, "dog": 10, "newt": 0}}, measured)
    assert said.splitlines()[-4:] == [
        "| dog | 0.3 | 0.20 |",
        "| `e\\|\\nk` | 0.2 | – |",
        "| cat | 0.1 (0 to 0.2) | 0.90 |",
        "| newt | – | 0.50 |",
    ]
    assert "Nearly all images look alike in dog: they have less than 0.25" in said
    assert "There is no image of newt." in said
    assert "How good images of newt are was not measured" in said
    assert "There are fewer than 50 images of dog." in said


def test_many_classes_are_cut_to_the_worst(evaluation):
    many = {f"class {index}": Metric(value=index / 100) for index in range(100)}
    said = limits_section({"counts": dict.fromkeys(many, 0)}, evaluation.model_copy(update={"per_class": many}))
    assert "the 30 worst of 100 classes" in said
    assert said.count("\n| class ") == 1 + 30
    assert "| class 99 | 0.99 | – |" in said
    assert "| class 69 |" not in said
    assert "class 9 and 90 more." in said


def test_without_figures_by_class_that_is_said(evaluation):
    said = limits_section({"counts": {"unlabelled": 3}}, evaluation)
    assert "No figure by class was measured" in said
    one = evaluation.model_copy(update={"variety": {"all images": Metric(value=0.1)}})
    assert "- Nearly all images look alike: they have" in limits_section({"counts": {"unlabelled": 3}}, one)
