"""Texts from outside, such as names of classes and files, in Markdown: shown as they are, and never obeyed.

What a terminal obeys is shown by its escape sequence here too, so that no text has a second line or runs backwards.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

from gan.text.shown import inert
from tasks.reports.page import short

_LONGEST = 100
# No Markdown begins or stands within these: letters and digits of any script, and a few signs between them.
_PLAIN = re.compile(r"[^\W_](?:[^\W_]|[ ,'/-]|(?<=[^\W_])_(?=[^\W_]))*")
# Emphasis, code, links, HTML, tables, formulas; addresses that become links by themselves; and what makes a block where
# a line begins with it.
_ACTIVE = re.compile(
    r"[\\`*{}\[\]<>|~$&@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.|^[^\w\s]|^\s+|(?<=^\d)[.)]|(?<=\d)[.)](?=\s)",
    re.I,
)


def name(text: str) -> str:
    """Return Markdown that shows a name as it is: in a code span, unless nothing in it can mean anything."""
    text = inert(short(text, _LONGEST))
    return text if _PLAIN.fullmatch(text) else _span(text)


def cell(text: str) -> str:
    """Return `name` for a cell of a table, in which a bar ends the cell even within a code span."""
    return re.sub(r"(\\*)\|", r"\1\1\\|", name(text))


def code(text: str) -> str:
    """Return a code span of a text, however long."""
    return _span(inert(text))


def prose(sentence: str) -> str:
    """Return a sentence of ours, in which there may be names, so that it reads as it is."""
    return _ACTIVE.sub(lambda found: "".join(f"&#{ord(each)};" for each in found[0]), inert(sentence))


def front_matter(values: Mapping[str, Any]) -> str:
    """Return values as YAML between two lines of dashes, as Hugging Face has it at the top of a card; in ASCII."""
    # However wide: a value that went on on a line of its own might look like the last line.
    return f"---\n{yaml.dump(dict(values), Dumper=_OneLine, sort_keys=False, width=math.inf)}---"


class _OneLine(yaml.SafeDumper):  # type: ignore[misc]
    """Writes a text with line ends on one line."""


_OneLine.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"'
    ),
)


def _span(text: str) -> str:
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text.strip(" ") and {text[0], text[-1]} & {"`", " "} else ""
    return f"{fence}{space}{text}{space}{fence}" if text else ""
