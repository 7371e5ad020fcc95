"""The first line of a table of pixels."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.sources.stacks.columns import find_columns


def header(names, delimiter=","):
    return delimiter.join(names).encode() + b"\n1"


def numbered(form, count=64, start=0):
    return [form.format(index + start) for index in range(count)]


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (["label", *numbered("pixel{}")], "label"),
        (["label", *numbered("pixel{}", start=1)], "label"),
        ([*numbered("pixel{:04d}"), "label"], "label"),
        (["class", *numbered("Pixel_{}")], "class"),
        (["Label", *numbered("{}")], "Label"),
        (["label", *(f"{row}x{column}" for row in range(1, 9) for column in range(1, 9))], "label"),
        (numbered("pixel{}"), ""),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_pixels_are_found_by_their_numbers(names, label, delimiter):
    found = find_columns(header(names, delimiter))
    assert (found.side, found.label, found.delimiter, found.others) == (8, label, delimiter, ())
    assert found.pixels == tuple(name for name in names if name != label)


def test_pixels_are_put_in_order_and_other_columns_named():
    names = sorted(numbered("pixel{}"))
    found = find_columns(b"\xef\xbb\xbf" + header(["id", "label", *names, "source"]))
    assert found.pixels == tuple(numbered("pixel{}"))
    assert found.others == ("id", "source")


@pytest.mark.parametrize("form", ["pixel{0}_{1}", "{1}{0}", "px{0}{1}", "{1}_{0}"])
@pytest.mark.parametrize("planar", [False, True])
def test_colours_that_are_called_so_are_put_in_their_place(form, planar):
    places = [(index, colour) for index in range(1, 65) for colour in "rgb"]
    if planar:
        places.sort(key=lambda place: "rgb".index(place[1]))
    found = find_columns(header(["label", *(form.format(*place) for place in places)]))
    assert (found.side, found.channels) == (8, 3)
    assert found.pixels == tuple(form.format(index, colour) for index in range(1, 65) for colour in "rgb")


def test_pixels_may_stand_as_text_in_one_column():
    found = find_columns(b"emotion,pixels,Usage\r\n0,1 2,Training\r\n")
    assert (found.pixels, found.side, found.label, found.usage) == (("pixels",), 0, "emotion", "Usage")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"label,pixel0,pixel1\n",
        header(["file_name", "label"]),
        header(["label", *numbered("pixel{}", start=2)]),
        header(["label", *numbered("pixel{}")[:30], *numbered("pixel{}")[31:]]),
        header(["label", *numbered("pixel{}")]).partition(b"\n")[0],
        b"\0" + header(["label", *numbered("pixel{}")]),
        b'"label' + header(numbered("pixel{}")),
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_other_tables_and_files_are_none(head):
    assert find_columns(head) is None


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (numbered("pixel{}", 3 * 64), "may be those of a square in three colours, in an order that it does not say"),
        (numbered("pixel{}", 65), "its 65 pixels are those of no square"),
        (numbered("pixel{}", 257 * 257), "are those of no square of at most 256"),
        (
            [f"{row}x{column}" for row in range(4) for column in range(16)],
            "images are of 4x16 pixels and so no squares",
        ),
        (["7", *["0"] * 64], "its first line holds numbers and no names: write label,pixel0,pixel1 and so on above it"),
        (["7", "0", *numbered("0.{}", 63, 1)], "its first line holds numbers and no names"),
        (["label", "label", *numbered("pixel{}")], "two of its columns have one name"),
    ],
)
def test_pixels_of_other_images_are_refused(names, words):
    with pytest.raises(ValueError, match=words):
        find_columns(header(names))


@settings(max_examples=200, deadline=None)
@given(
    names=st.lists(st.one_of(st.from_regex(r"(pixel)?[0-9]{1,7}", fullmatch=True), st.text(max_size=6)), max_size=40),
    tail=st.binary(max_size=20),
)
def test_any_first_line_is_columns_or_none_or_a_reason(names, tail):
    try:
        found = find_columns(",".join(names).encode("utf-8", "replace") + b"\n" + tail)
    except ValueError:
        return
    assert found is None or found.side**2 == len(found.pixels) or found.side == 0
