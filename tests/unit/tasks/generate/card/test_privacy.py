"""What a card says of copies and attacks: never more than its own figures do."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.generate.card.privacy import EXACT, NEAR, privacy_section

CLAIMS = ("no copies", "safe", "anonym", "privacy-preserving", "cannot be", "does not contain", "free of", "protects")


def section(count=20, **privacy):
    return privacy_section({"privacy": privacy, "generation": {"num_images": count}})


@pytest.mark.parametrize("exact", [None, 0, 3])
@pytest.mark.parametrize("near", [None, 0, 2])
def test_it_says_what_was_counted_and_what_follows(exact, near):
    counted = {key: value for key, value in ((EXACT, exact), (NEAR, near)) if value is not None}
    said = section(**counted)
    assert ("3 of 20 images equal a training image" in said) == (exact == 3)
    assert ("0 of 20 images equal a training image" in said) == (exact == 0)
    assert ("whether images equal one" in said.lower()) == (exact is None)
    assert ("Whether others come near to one was not looked at" in said) == (near is None)
    assert ("are near copies of one" in said) == (near is not None)
    assert ("Look at these" in said) == (near == 2)
    assert ("treat the whole release as you have to treat the dataset" in said) == (exact == 3)
    assert ("No count proves" in said) == (exact != 3)
    assert said.count("No DP guarantee.") == 1
    assert "differential" not in said


@given(st.integers(0, 10**6), st.none() | st.integers(0, 10**6))
def test_no_count_meets_a_claim_that_it_contradicts(exact, near):
    said = section(10**6, **{EXACT: exact} | ({} if near is None else {NEAR: near})).lower()
    assert f"{exact} of 1000000 images equal" in said
    assert not [claim for claim in CLAIMS if claim in said]


def audit(*shown, name="dcr_share", warnings=()):
    figures = [{"name": name, "said": f"figure {index} | *said*", "shown": each} for index, each in enumerate(shown)]
    return {"figures": figures, "warnings": list(warnings)}


def test_an_audit_is_said_in_its_own_sentences():
    said = section(**{EXACT: 0}, audit=audit(False, False))
    assert "None of 2 figures shows more than chance and its control explain." in said
    assert "- figure 0 &#124; &#42;said&#42;\n- figure 1" in said
    assert "Whether others come near to one was not looked at" in said, "distances are no look at near copies"
    said = section(**{EXACT: 0}, audit=audit(False, True, name="pixel_copies", warnings=["too <few>"]))
    assert "1 of 2 figures show more than chance and their controls explain: look at the pairs" in said
    assert "Whether others come near" not in said
    assert "> too &#60;few&#62;" in said


def test_further_figures_have_their_intervals():
    said = section(
        **{EXACT: 0}, share={"value": 0.5123, "low": 0.49, "high": 0.53}, deep={"pairs | of": 3, "er": {"value": 1.5}},
        nothing=None, bad=math.nan, audit="none",
    )  # fmt: skip
    assert "| share | 0.5123 (0.49 to 0.53) |" in said
    assert "| `deep: pairs \\| of` | 3 |" in said
    assert "| `deep: er` | 1.5 |" in said
    assert "nan" not in said
    assert "chance" not in said


def test_trees_of_any_depth_end():
    tree = {"value": "x"}
    for _ in range(1000):
        tree = {"a": tree}
    assert "figure" not in section(**{EXACT: 0}, tree=tree)
