"""What is said of images as a whole: what is refused, how it is spelled, what stays of it."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

from gan.data.origin import FIELDS, LONGEST, Origin
from gan.errors import InputError

anything = st.text(st.characters(), max_size=300)


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("cc-by-4.0", "CC-BY-4.0"),
        (" CC0-1.0 ", "CC0-1.0"),
        ("mit or (apache-2.0 and bsd-3-clause)", "MIT OR (Apache-2.0 AND BSD-3-Clause)"),
        ("gpl-2.0-only with classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("LicenseRef-Acme.Photos-2", "LicenseRef-Acme.Photos-2"),
        ("", ""),
    ],
)
def test_a_licence_is_spelled_as_spdx_does(given, spelled):
    assert Origin(licence=given).checked().licence == spelled


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("CC BY 4.0", "give CC-BY-4.0 if"),
        ("cc-by", "give CC-BY-4.0 or CC-BY-NC-4.0 or CC-BY-SA-4.0 if"),
        ("GPL v3", "give GPL-3.0-only or GPL-3.0-or-later if"),
        ("MIT License", "give MIT if"),
        ("Apache License, Version 2.0", "give Apache-2.0 if"),
        ("MIT OR Apache 2", "give Apache-2.0 if"),
        ("CC-BY-5.0", "give CC-BY-4.0 or"),
        ("MIT with something", "give one such as CC0-1.0"),
        ("(MIT", "give one such as"),
        ("public", "give one such as"),
        ("LicenseRef-a_b", "or LicenseRef-NAME for"),
        ("NOASSERTION", "LicenseRef-NAME"),
        ("(" * 150, "give one such as"),
    ],
)
def test_what_is_no_licence_is_refused_with_those_that_are_spelled_nearly_so(given, near):
    with pytest.raises(InputError, match=r"no SPDX licence expression: .*https://spdx\.org/licenses") as told:
        Origin(licence=given).checked()
    assert near in str(told.value)


@pytest.mark.parametrize(
    "address", ["https://example.org/a?b=c#d", "http://127.0.0.1:8000/", "https://[::1]/", "https://bücher.example/ü"]
)
def test_an_address_of_the_web_is_taken(address):
    assert Origin(source_url=address).checked().source_url == address


@pytest.mark.parametrize(
    "address",
    [
        *(
            "ftp://example.org",
            "example.org",
            "https://",
            "https:///a",
            "https://a:b/",
            "https://a:99999/",
            "https://[::",
        ),
        *("javascript:alert(1)", "https://a/ b", "https://a/<b>", "data:text/html,x", "//example.org/a", "https://a/`"),
    ],
)
def test_any_other_is_refused(address):
    with pytest.raises(InputError, match="no address of the web: give one that begins with https://"):
        Origin(source_url=address).checked()


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "address", ["https://alice:hunter2@host/a", "https://hunter2@host/a", "https://a/?token=hunter2"]
)
def test_no_field_takes_a_credential(field, address):
    with pytest.raises(InputError, match="credential") as told:
        Origin(**{field: address}).checked()
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", ["a\nb", "a\x1b[2J", "a\u202eb", "a\x00", "a\u2028b", "\udcff"])
def test_what_nobody_sees_is_refused(field, text):
    option = "--license" if field == "licence" else f"--{field.replace('_', '-')}"
    with pytest.raises(InputError, match=f"{option} .* one plain line"):
        Origin(**{field: text}).checked()


@pytest.mark.parametrize("field", FIELDS)
def test_texts_are_bounded(field):
    with pytest.raises(InputError, match=rf"has {LONGEST[field] + 1} characters, more than the {LONGEST[field]}"):
        Origin(**{field: "x" * (LONGEST[field] + 1)}).checked()
    if field in {"credit", "description"}:
        assert getattr(Origin(**{field: "ü" * LONGEST[field]}).checked(), field) == "ü" * LONGEST[field]


@given(*[st.none() | anything for _ in FIELDS])
def test_what_is_taken_is_plain_and_stays_as_it_is(licence, source_url, credit, description):
    told = Origin(licence=licence, source_url=source_url, credit=credit, description=description)
    try:
        checked = told.checked()
    except InputError:
        with pytest.raises(InputError, match=r"^--|^«"):
            told.checked()
        return
    assert checked.checked() == checked
    for field in FIELDS:
        text = getattr(checked, field)
        assert (text is None) == (getattr(told, field) is None)
        assert text is None or (text.isprintable() and len(text) <= LONGEST[field])
    if checked.licence:
        assert canonicalize_license_expression(checked.licence) == checked.licence


def test_what_is_not_said_again_stays_and_an_empty_text_withdraws():
    before = Origin(licence="MIT", source_url="https://a", credit="A")
    now = Origin(licence="CC0-1.0", credit="", description="what they show")
    both = now.over(before)
    assert both == Origin(licence="CC0-1.0", source_url="https://a", description="what they show")
    assert now.kept(before) == ("source_url",)
    assert Origin().over(before) == before
    assert Origin().kept(before) == ("licence", "source_url", "credit")
    assert Origin(licence="").over(Origin()) == Origin()


def test_it_is_there_at_once_and_offline():
    program = """
import sys
from gan.data.origin import Origin
Origin(licence="CC BY", source_url="https://a").model_dump()
try:
    Origin(licence="CC BY").checked()
except Exception:
    pass
print(*({"torch", "numpy", "requests", "mlflow"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
