"""Texts from outside on a line of a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import GanflowError
from gan.text.shown import inert, last_line_of, reason_of

OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, marks of direction, joiners, halves of characters, line ends


@given(st.text(st.characters() | st.sampled_from("\x1b\x9b\n\r\u202a\u202e\u2066\u2069\u200d\u200e\u200f\ufeff\ud800")))
def test_no_text_makes_a_terminal_obey(text):
    for line in (inert(text), str(GanflowError(text)), reason_of(text)):
        assert not {unicodedata.category(each) for each in line} & OBEYED
        line.encode()
    assert inert(inert(text)) == inert(text)


@pytest.mark.parametrize("text", ["", "a b", "è", "Straße 猫 שלום 🐈", "a\\n", "٣"])
def test_what_is_printable_stays_as_it_is(text):
    assert inert(text) == text


def test_what_is_not_is_shown_by_its_escape_sequence():
    assert inert("a\x1b[2J\u202eb\n\x9b") == r"a\x1b[2J\u202eb\n\x9b"


def test_the_reason_is_one_line_and_short():
    assert reason_of(ValueError(" a\n  b: ")) == "a b"
    assert reason_of(KeyError()) == "KeyError"
    assert reason_of(ValueError("x" * 999), 50) == "x" * 50
    assert reason_of("no https://u:hunter2@host/x?token=a") == "no https://host/x"


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("Traceback:\n  File x\nValueError: no room.\n\n", "ValueError: no room"),
        ("one line: ", "one line"),
        ("a\nhttps://me:secret@host/b", "https://host/b"),
        (" \n", "RuntimeError"),
        ("first\n" + "x" * 300, "x" * 200),
    ],
)
def test_the_last_line_of_an_error(message, found):
    assert last_line_of(RuntimeError(message)) == found
