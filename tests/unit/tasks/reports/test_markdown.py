"""Names of any make in Markdown and YAML, as real parsers read them."""

import html

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gan.text.shown import inert
from tasks.reports.markdown import cell, code, front_matter, name, prose

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = (
    "a|b",
    "<img src=x onerror=alert(1)>",
    "x\n\n# Certified by FDA\n",
    "[a](javascript:alert(1))",
    "![a](http://evil/x.png)",
    "<http://evil>",
    "`a` ``b`` ```",
    "\\|",
    "\\",
    "**bold** _em_ ~~gone~~",
    "&lt;b&gt; &#60;",
    "a\u202egnp.exe",
    "- a",
    "1. a",
    "    code",
    "---",
    "> quote",
    "a\rb\u2028c\x1b[2J",
    "<!-- ",
    "[x]: http://evil",
    " ",
)
names = st.text() | st.sampled_from(HOSTILE) | st.text("`|\\<>[]()*_~&#!-.: \nab1", max_size=12)
INLINE = {"text", "text_special", "code_inline"}


def flat(tokens):
    for token in tokens:
        yield token
        yield from flat(token.children or ())


def spoken(token):
    """What a reader sees of an inline token."""
    return "".join(each.content for each in token.children)


@given(st.lists(names, min_size=1))
def test_a_table_keeps_its_cells_and_lines(some):
    table = "\n".join(
        ["| class | images |", "|---|---|", *(f"| {cell(each)} | {index} |" for index, each in enumerate(some))]
    )
    tokens = list(flat(PARSER.parse(table)))
    assert sum(token.type == "tr_open" for token in tokens) == 1 + len(some)
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 2 * (1 + len(some))
    assert [spoken(each) for each in cells[3::2]] == [str(index) for index in range(len(some))]
    for each in cells:
        assert {child.type for child in each.children} <= INLINE
    assert not [token for token in tokens if token.type.startswith("html")]


def flat_text(markdown):
    tokens = [token for token in PARSER.parse(markdown) if token.type not in {"paragraph_open", "paragraph_close"}]
    assert [token.type for token in tokens] == ["inline"] * bool(tokens)
    assert all({child.type for child in token.children} <= INLINE for token in tokens)
    return "".join(map(spoken, tokens))


@given(names)
def test_a_sentence_reads_as_it_is(sentence):
    assert flat_text(prose(sentence)).strip() == inert(sentence).strip()
    assert flat_text(f"Warning: {prose(sentence)}.") == f"Warning: {inert(sentence)}."
    assert "://" not in prose(sentence)


@given(names, names)
def test_names_are_text_in_any_place(first, second):
    heading = [token for token in PARSER.parse(f"# {name(first)}, {name(second)}\n\nnext") if token.type == "inline"]
    assert len(heading) == 2
    assert {child.type for child in heading[0].children} <= INLINE
    assert flat_text(f"of {code(first)} and {code(second)}.")
    (picture,) = PARSER.parse(f"![{name(first)}](samples.png)")[1].children
    assert (picture.type, picture.attrs["src"]) == ("image", "samples.png")
    assert "<img" not in PARSER.render(f"- {name(first)}: {prose(second)}")


@given(names)
def test_short_names_read_as_they_are(text):
    if len(text) <= 100:
        assert flat_text(f"a {name(text)} b") == f"a {inert(text)} b"
        assert html.unescape(PARSER.render(code(text))).count("<code>") <= 1 + inert(text).count("<code>")


@pytest.mark.parametrize(
    "text", ["ice_cream", "few images: KID decides", "0", "a, b/c - d", "Straße 猫", "30 % of 2.5"]
)
def test_plain_text_stays_as_it_is(text):
    assert prose(text) == text


@given(st.dictionaries(names, names | st.lists(names | st.integers())))
def test_yaml_loads_back_to_the_same(values):
    text = front_matter(values)
    lines = text.split("\n")
    assert (lines[0], lines[-1]) == ("---", "---")
    assert "---" not in lines[1:-1]
    assert text.replace("\n", "").isprintable()
    assert yaml.safe_load("\n".join(lines[1:-1])) == values
