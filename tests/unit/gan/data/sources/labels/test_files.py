"""Label files of every format to a mapping; whatever is wrong with one becomes one line that says where."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.sources.labels.files import CONTRADICTION, OUTSIDE, LabelFile, is_label_file, parse_labels
from gan.errors import DatasetError

SUFFIXES = ["csv", "tsv", "json", "jsonl"]


def failure(name, data):
    with pytest.raises(DatasetError) as caught:
        parse_labels(name, data if isinstance(data, bytes) else data.encode(errors="surrogatepass"))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    assert len(message) < 500
    assert message.startswith(name)
    return message


def table(rows, delimiter=",", header=("file", "label")):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows([header, *rows] if header else rows)
    return file.getvalue().encode()


def in_format(suffix, pairs):
    """Return the file that holds `pairs`, written with the standard library."""
    if suffix in {"csv", "tsv"}:
        return table(pairs, "\t" if suffix == "tsv" else ",")
    if suffix == "json":
        return json.dumps(dict(pairs)).encode()
    return "\n".join(json.dumps({"file_name": path, "label": label}) for path, label in pairs).encode()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_mapping(suffix):
    parsed = parse_labels(f"labels.{suffix}", in_format(suffix, [("b/1.png", "dog"), ("a.png", "cat")]))
    assert parsed == LabelFile({"b/1.png": 1, "a.png": 0}, ("cat", "dog"), (), labelled=True)


@pytest.mark.parametrize(
    "document",
    [
        {"labels": [["00000/img.png", 6], ["00000/img2.png", 0]]},
        [{"image": "00000/img.png", "Class": 6}, {"image": "00000/img2.png", "Class": "0"}],
        {"00000/img.png": 6, "00000/img2.png": 0.0},
    ],
)
def test_json_has_three_shapes(document):
    parsed = parse_labels("dataset.json", json.dumps(document, indent=1).encode())
    assert parsed == LabelFile({"00000/img.png": 1, "00000/img2.png": 0}, ("0", "6"))


def test_stylegan_says_that_there_are_no_labels():
    assert parse_labels("dataset.json", b'{"labels": null}') == LabelFile({}, (), (), labelled=False)


def test_a_path_called_labels_is_a_path():
    assert parse_labels("labels.json", b'{"labels": 3}').labels == {"labels": 0}
    assert parse_labels("labels.json", b'{"labels": null, "a": 3}').labels == {"labels": -1, "a": 0}


@pytest.mark.parametrize(
    "column", ["file_name", "FileName", " file ", "path", "image", "image_path", "img", "image_id"]
)
@pytest.mark.parametrize("label", ["label", "Labels", "class", "class_name", "category", " target ", "Y"])
def test_columns_are_found_by_name_whatever_their_case_and_place(column, label):
    data = f"\ufeff,{label},width,{column}\n0,cat,5,a.png\n".encode()
    assert parse_labels("labels.csv", data) == LabelFile({"a.png": 0}, ("cat",))


def test_the_earlier_name_wins():
    assert parse_labels("labels.csv", b"id,y,file,class\n7,1,a.png,cat\n") == LabelFile({"a.png": 0}, ("cat",))
    assert parse_labels("labels.jsonl", b'{"id": 7, "y": 1, "class": "cat"}') == LabelFile({"7": 0}, ("cat",))


def test_keys_may_stand_in_another_order_on_every_line():
    data = b'{"file": "a", "label": "x"}\n\n{"label": "y", "text": null, "file": "b"}\r\n'
    assert parse_labels("metadata.jsonl", data) == LabelFile({"a": 0, "b": 1}, ("x", "y"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt"])
@pytest.mark.parametrize("header", [("file", "label"), ("label", "file"), None])
def test_the_delimiter_is_found_whatever_the_suffix(delimiter, suffix, header):
    rows = [("a,b;c\td.PNG", "x;y"), ("e.png", "u,v")]
    order = -1 if header == ("label", "file") else 1
    data = table([row[::order] for row in rows], delimiter, header)
    assert parse_labels(f"labels.{suffix}", data).labels == {"a,b;c\td.PNG": 1, "e.png": 0}


def test_without_a_delimiter_in_quotes_other_delimiters_may_stand_in_the_cells():
    assert parse_labels("l.csv", b"a,b.png;cat\nc.png;dog, big\n").labels == {"a,b.png": 0, "c.png": 1}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_and_every_line_ending(end):
    data = end.join(["", "file,label", "", "a.png,cat", ",", "b.png,dog"]).encode()
    assert parse_labels("labels.csv", data).labels == {"a.png": 0, "b.png": 1}


def test_whole_numbers_are_classes_in_numeric_order():
    parsed = parse_labels("labels.csv", b"file,label\na,10\nb,9\nc,010\nd,10.0\ne,+9\nf, 9 \n")
    assert parsed == LabelFile({"a": 1, "b": 0, "c": 1, "d": 1, "e": 0, "f": 0}, ("9", "10"))


def test_one_text_makes_all_classes_text():
    parsed = parse_labels("labels.csv", b"file,label\na,10\nb,9\nc,010\nd,cat\ne, cat \n")
    assert parsed.class_names == ("010", "10", "9", "cat")
    assert parsed.labels == {"a": 1, "b": 2, "c": 0, "d": 3, "e": 3}
    assert parse_labels("labels.json", b'{"a": 1, "b": "1", "c": 1.0, "d": "x"}').labels == {
        "a": 0,
        "b": 0,
        "c": 0,
        "d": 1,
    }


@pytest.mark.parametrize("label", ["", "  ", "-1", "-1.0", "nan", " NaN"])
@pytest.mark.parametrize("other", ["7", "cat"])
def test_no_label_is_minus_one(label, other):
    parsed = parse_labels("labels.csv", f"file,label\na,{label}\nb,{other}\n".encode())
    assert parsed == LabelFile({"a": -1, "b": 0}, (other,))


@pytest.mark.parametrize("label", ["null", "-1", '""', "-1.0", '"-1"'])
def test_no_label_in_json(label):
    assert parse_labels("labels.json", f'{{"a": {label}, "b": 7}}'.encode()) == LabelFile({"a": -1, "b": 0}, ("7",))


def test_a_file_in_which_no_image_has_a_label():
    assert parse_labels("labels.csv", b"file,label\na,\nb,-1\n") == LabelFile({"a": -1, "b": -1}, ())


def test_paths_are_normalised_and_else_kept():
    rows = [
        (".\\x\\a.png", 0),
        ("./b.png", 0),
        ("././y//./c.png", 0),
        (" d .png", 0),
        ("...", 0),
        ("a:b", 0),
        (".e", 0),
    ]
    assert list(parse_labels("labels.csv", table(rows)).labels) == [
        "x/a.png", "b.png", "y/c.png", " d .png", "...", "a:b", ".e"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/a.png", "\\a.png", "C:\\a.png", "c:/a.png", "https://h/a.png", "../a.png", "x/../a.png", "..", "/"]
)
def test_paths_outside_the_collection_are_rejects(path):
    parsed = parse_labels("labels.csv", table([(path, "cat"), ("in.png", "dog")]))
    assert parsed == LabelFile({"in.png": 0}, ("dog",), ((path, OUTSIDE),))


def test_the_first_label_of_a_path_stays():
    rows = [("a", 1), ("./a", "01"), ("a", 2), (".\\a", ""), ("b", ""), ("b", "-1"), ("b", 1)]
    parsed = parse_labels("labels.csv", table(rows))
    assert parsed == LabelFile(
        {"a": 0, "b": -1}, ("1",), (("a", CONTRADICTION), ("a", CONTRADICTION), ("b", CONTRADICTION))
    )


def test_a_key_that_is_twice_in_json_is_a_repeated_row():
    parsed = parse_labels("labels.json", b'{"a": "x", "a": "y", "b": "y", "b": "y"}')
    assert parsed == LabelFile({"a": 0, "b": 1}, ("x", "y"), (("a", CONTRADICTION),))


@pytest.mark.parametrize(
    ("label", "part"),
    [
        ("1.5", "neither text nor a whole number"),
        ("[1]", "neither text nor a whole number"),
        ("{}", "neither text nor a whole number"),
        ("NaN", "neither text nor a whole number"),
        ("1e999", "neither text nor a whole number"),
        ('"0.25"', "no whole number"),
        ('"-1.5e-3"', "no whole number"),
        ("-2", "label out of range"),
        ('"-7"', "label out of range"),
        ("1e300", "label out of range"),
        ("9" * 5000, "label out of range"),
        ('"' + "9" * 5000 + '"', "label out of range"),
        (r'"\u0000"', "impossible characters"),
        (r'"x\ud800"', "impossible characters"),
    ],
)
def test_labels_that_are_none(label, part):
    assert part in (message := failure("labels.json", f'{{"a": 1, "b": {label}}}'))
    assert message.startswith("labels.json, entry 2: ")
    assert failure("l.json", f'[{{"file": "a", "label": {label}}}]').startswith("l.json, entry 1: ")
    assert failure("l.json", f'{{"labels": [["a", {label}]]}}').startswith("l.json, entry 1 of labels: ")
    assert part in (message := failure("m.jsonl", f'\n{{"file": "a", "label": {label}}}'))
    assert message.startswith("m.jsonl, line 2: ")


@pytest.mark.parametrize(
    ("label", "part"), [("0.5", "no whole number"), ("-2", "out of range"), ("9" * 40, "out of range")]
)
def test_labels_that_are_none_in_a_table(label, part):
    message = failure("labels.csv", f'file,label\n"a\nb",1\n\nc,{label}\n')
    assert part in message
    assert message.startswith("labels.csv, line 5: ")


@pytest.mark.parametrize(
    "path", ["null", "true", "1.5", '["a"]', "{}", '""', '" "', '"./"', r'"a\u0000"', r'"\udfff.png"']
)
def test_paths_that_are_none(path):
    assert failure("m.jsonl", f'{{"file": "a", "label": 1}}\n{{"file": {path}, "label": 1}}').startswith(
        "m.jsonl, line 2: "
    )


def test_escaped_pairs_of_surrogates_are_characters():
    assert parse_labels("labels.json", rb'{"\ud83d\ude00.png": "\u00e9"}') == LabelFile({"😀.png": 0}, ("é",))


def test_captions_are_no_labels():
    for name, data in [
        ("metadata.csv", "file_name,text\na.png,a cat\n"),
        ("metadata.jsonl", '{"file_name": "a.png", "text": "a cat"}'),
    ]:
        message = failure(name, data)
        assert message.startswith(f"{name}, line 1: no label in the columns 'file_name, text': ")
        assert "class_name, category" in message


@pytest.mark.parametrize(
    ("name", "data", "start"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "\ufeff", "a.csv is empty"),
        ("a.json", " \n", "a.json is empty"),
        ("a.csv", "file,label\n", "a.csv has no rows"),
        ("a.csv", "file,label\n,\n", "a.csv has no rows"),
        ("a.json", "{}", "a.json has no rows"),
        ("a.json", "[]", "a.json has no rows"),
        ("a.json", '{"labels": []}', "a.json has no rows"),
        ("a.json", "3", "a.json, line 1: neither an object nor a list"),
        ("a.json", "[[1, 2]]", "a.json, entry 1: not an object"),
        ("a.json", '{"labels": [["a.png"]]}', "a.json, entry 1 of labels: not a pair"),
        ("a.json", '{"labels": [{"a": 1, "b": 2}]}', "a.json, entry 1 of labels: not a pair"),
        ("a.json", '{"a": 1,\n\n"b": }', "a.json, line 3: no JSON"),
        ("a.json", '{"file": "a"}\n{"file": "b"}', "a.json, line 2: no JSON (Extra data)"),
        ("a.jsonl", '{"file": "a", "label": 1}\n{"file"', "a.jsonl, line 2: no JSON"),
        ("a.jsonl", '{"file": "a", "label": 1}\n{}', "a.jsonl, line 2: no path in the columns ''"),
        ("a.jsonl", '{"file": "a", "label": 1, "label": 2}', "a.jsonl, line 1: more than one column 'label'"),
        ("a.jsonl", '{"file": "a", "label": 1}\n{"file": "a"}', "a.jsonl, line 2: no label in the columns 'file'"),
        ("a.jsonl", '{"file": "a", "label": 1}\n[]', "a.jsonl, line 2: not an object"),
        ("a.json", "[" * 100_000, "a.json, line 1: too deeply nested"),
        ("a.jsonl", '\n{"a":' * 2 + '{"a":' * 100_000, "a.jsonl, line 2: no JSON"),
        ("a.jsonl", "\n" + '{"a":' * 100_000, "a.jsonl, line 2: too deeply nested"),
        ("a.csv", ",file,text\n0,a.png,b\n", "a.csv, line 1: no label in the columns ',"),
        ("a.csv", "a.png,b.png,c\n", "a.csv, line 1: no path in the columns"),
        ("a.csv", "a.png\nb.png\n", "a.csv, line 1: no path in the columns"),
        ("a.csv", "file,label,Label \na.png,1,2\n", "a.csv, line 1: more than one column 'label'"),
        ("a.csv", "file,label\na.png,1\nb,c.png,1\n", "a.csv, line 3: 3 cells, not 2"),
        ("a.csv", "file,label\na.png\n", "a.csv, line 2: 1 cells, not 2"),
        ("a.csv", "file,label\n ,1\n", "a.csv, line 2: the path ' ' names no file"),
        ("a.csv", 'file,label\n"a.png"x,1\n', "a.csv, line 2: "),
        ("a.csv", 'file,label\na.png,1\n"b.png,1\nc.png,2\n', "a.csv, line 3: "),
        ("a.csv", "file,label\na.png," + "x" * 200_000, "a.csv, line 2: field larger than field limit"),
        ("a.csv", "x" * 200_000, "a.csv, line 1: field larger than field limit"),
        ("a.csv", "x," * 50_000, "a.csv, line 1: no path in the columns"),
        ("a.csv", "file,label\na.png,\0\n", "a.csv, line 2: this is no UTF-8 text"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0", "a.csv, line 1: this is no UTF-8 text"),
        ("a.csv", "file,label\n".encode("utf-16-le"), "a.csv, line 1: this is no UTF-8 text"),
    ],
)  # fmt: skip
def test_a_broken_file_is_one_line_that_says_where(name, data, start):
    assert failure(name, data).startswith(start)


def test_a_name_with_a_line_break_is_still_one_line():
    with pytest.raises(DatasetError) as caught:
        parse_labels("a\nb.csv", b"")
    assert str(caught.value).startswith(r"'a\nb.csv' is empty")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("labels.csv", True), ("LABELS.TSV", True), ("./labels.json", True), ("labels.jsonl", True),
        ("metadata.csv", True), ("Metadata.jsonl", True), ("dataset.json", True), ("annotations.csv", True),
        ("metadata.json", False), ("annotations.json", False), ("x/labels.csv", False), ("labels.csv.gz", False),
        ("labels.png", False), ("xlabels.csv", False), ("labels.csv\n", False), ("", False),
    ],
)  # fmt: skip
def test_label_files_are_known_by_their_name_at_the_root(name, expected):
    assert is_label_file(name) is expected


def parses_or_explains(suffix, data):
    message, parsed = "", LabelFile({}, ())
    try:
        parsed = parse_labels(f"labels.{suffix}", data)
    except DatasetError as error:
        message = str(error)
    assert len(message.splitlines()) <= 1
    assert set(parsed.labels.values()) - {-1} == set(range(len(parsed.class_names)))
    assert len(set(parsed.class_names)) == len(parsed.class_names)
    for path in parsed.labels:
        assert not {"", ".", ".."} & set(path.split("/"))


PIECES = ["file,label\n", '{"file":', '"label":', '{"labels":[', "a.png", ",", '"', "}", "]", "\n", "1"]
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(st.characters())
    | st.sampled_from(["a.png", "-1"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["labels", "file", "label"]) | st.text(), inner),
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=300, deadline=None)
@given(
    data=st.binary()
    | st.text(st.sampled_from("a1-.,;\t\n\r\"'\\/:{}[] \x00\ufeff\u2028é")).map(str.encode)
    | st.lists(st.sampled_from(PIECES)).map("".join).map(str.encode)
    | JSON_VALUES.map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_parse_or_are_explained(suffix, data):
    parses_or_explains(suffix, data)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_file_parses_or_is_explained(suffix, data):
    whole = in_format(suffix, [("b/1,.png", "dög"), ('a".png', "3"), ("c.png", "")])
    at = data.draw(st.integers(0, len(whole)))
    parses_or_explains(
        suffix, whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + data.draw(st.integers(0, 4)) :]
    )


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
PARTS = st.text(CHARACTERS | st.sampled_from(",;\t\"' \n\r\u2028"), min_size=1).filter(
    lambda part: not {"/", "\\", ":"} & set(part) and part not in {".", "..", "labels"} and part.strip()
)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
TEXTS = PARTS.map(str.strip).filter(
    lambda text: not text.lstrip("+-")[:1].isdigit() and text[0] not in ".+-" and text not in {"nan", "NaN"}
)
NUMBERS = st.integers(0, 10**17)


@pytest.mark.parametrize("suffix", [*SUFFIXES, "stylegan"])
@settings(max_examples=150, deadline=None)
@given(pairs=st.one_of(*(st.dictionaries(PATHS, values | st.none(), min_size=1) for values in (TEXTS, NUMBERS))))
def test_what_is_written_is_read(suffix, pairs):
    if suffix == "stylegan":
        parsed = parse_labels("dataset.json", json.dumps({"labels": list(pairs.items())}).encode())
    else:
        parsed = parse_labels(f"labels.{suffix}", in_format(suffix, list(pairs.items())))
    names = sorted({label for label in pairs.values() if label is not None})
    assert parsed.class_names == tuple(map(str, names))
    assert parsed.labels == {path: -1 if label is None else names.index(label) for path, label in pairs.items()}
    assert parsed.rejects == ()


def test_no_number_among_numbers_is_no_class():
    found = parse_labels("labels.csv", b"file,label\na,2.0\nb,NaN\nc,10\n")
    assert found == LabelFile({"a": 0, "b": -1, "c": 1}, ("2", "10"))
    assert parse_labels("labels.csv", b"file,label\na,cat\nb,nan\n") == LabelFile({"a": 0, "b": -1}, ("cat",))
