"""Licences, sizes and sources in the words of Hugging Face's front matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

from tasks.reports.hugging_face import (
    _OTHERWISE,
    _SAME,
    hub_dataset,
    licence_words,
    size_category,
    source_words,
)


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        (None, {"license": "unknown"}),
        ("", {"license": "unknown"}),
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("CC0-1.0", {"license": "cc0-1.0"}),
        ("GPL-3.0-or-later", {"license": "gpl-3.0"}),
        ("LGPL-2.1-only", {"license": "lgpl-2.1"}),
        ("ODbL-1.0", {"license": "odbl"}),
        ("PDDL-1.0", {"license": "pddl"}),
        ("GFDL-1.3-only", {"license": "gfdl"}),
        ("odbl", {"license": "other", "license_name": "odbl"}),
        ("LicenseRef-Acme.2", {"license": "other", "license_name": "licenseref-acme.2"}),
        ("MIT OR (CC0-1.0)", {"license": "other", "license_name": "mit-or-cc0-1.0"}),
        ("\u202e", {"license": "other", "license_name": "other"}),
    ],
)
def test_a_licence_is_said_in_its_word_or_by_a_name(licence, words):
    assert licence_words(licence) == words
    if words["license"] == "other":
        assert licence_words(licence, "https://a") == words | {"license_link": "https://a"}
    else:
        assert licence_words(licence, "https://a") == words


def test_every_word_is_that_of_a_licence_of_spdx():
    for word in (*_SAME, *_OTHERWISE):
        both = [word, f"{word}-only"]
        assert any(canonicalize_license_expression(each).lower() == each for each in both if _known(each)), word


def _known(text):
    try:
        canonicalize_license_expression(text)
    except ValueError:
        return False
    return True


@given(st.text(st.characters(), max_size=300), st.none() | st.text(st.characters(), max_size=300))
def test_any_text_gives_plain_words(text, address):
    words = licence_words(text)
    assert all(value and value.isascii() and value.isprintable() and " " not in value for value in words.values())
    (source,) = source_words(text, address)
    assert source.startswith("extended|")
    assert source.isprintable()


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://huggingface.co/datasets/org/pets", "org/pets"),
        ("https://huggingface.co/datasets/mnist/", "mnist"),
        ("https://hf.co/datasets/org/pets", "org/pets"),
        ("https://huggingface.co/org/model", None),
        ("https://example.org/datasets/org/pets", None),
        ("https://huggingface.co/datasets/org/pets/tree/main", None),
        (None, None),
    ],
)
def test_only_an_address_on_hugging_face_names_a_dataset_there(address, name):
    assert hub_dataset(address) == name
    assert source_words("My pets!", address) == [f"extended|{name}" if name else "extended|other-my-pets"]


def test_a_source_without_a_name():
    assert source_words(None, None) == source_words("«»", None) == ["extended|other"]


def test_sizes_beyond_any_release():
    assert [size_category(10**power) for power in (8, 9, 10, 11, 12)] == [
        "100M<n<1B", "1B<n<10B", "10B<n<100B", "100B<n<1T", "n>1T",
    ]  # fmt: skip
