"""How a card says that images were chosen, checked, marked and signed."""

import pytest

from tasks.generate.card.proof import checks_section, marks_section, selection_section

MADE = {"generation": {"num_images": 80}}


def test_without_a_selection_nothing_is_said_of_one():
    assert selection_section(MADE) == ""
    assert selection_section(MADE | {"selection": {"asked": 0}}) == ""
    all_kept = selection_section(MADE | {"selection": {"asked": 80, "kept": 80, "rejected": {}}})
    assert "All 80 images that were drawn are here: none was rejected." in all_kept


def test_what_was_rejected_is_counted_by_reason():
    rejected = {"near a training image": {"a": 10, "b": 5}, "odd | one": 5}
    said = selection_section(MADE | {"selection": {"asked": 100, "kept": 80, "rejected": rejected}})
    assert "80 of 100 images that were drawn are here (80.0 %)." in said
    assert "| near a training image | 15 | 15.00 % |\n| `odd \\| one` | 5 | 5.00 % |" in said
    assert "Choosing moves what is left" in said
    assert "reached" not in said


def test_what_choosing_cost_is_said_where_it_was_measured():
    lost = {"coverage_drawn": {"value": 0.8}, "coverage_kept": {"value": 0.75}, "recall_drawn": 0.9}
    found = {"asked": 100, "kept": 80, "rejected": {"odd": {"a": 20}}, "coverage_lost": lost}
    said = selection_section(MADE | {"selection": found})
    assert said.endswith("| by those drawn first | by those kept |\n|---|---|---|\n| coverage | 0.8 | 0.75 |")


def test_checks_are_rows_however_they_are_kept():
    assert checks_section(MADE) == checks_section(MADE | {"checks": []}) == ""
    row = {"passed": False, "said": "0.3 against 0.1 | of *b*\n# no heading"}
    for checks in ([row | {"check": "kid"}], {"kid": row}):
        last = checks_section(MADE | {"checks": checks}).splitlines()[-1]
        assert last == "| kid | failed | 0&#46;3 against 0.1 &#124; of &#42;b&#42;&#92;n# no heading |"


@pytest.mark.parametrize(
    ("format", "where"),
    [(None, "each file's schema"), ("webdataset", "the JSON beside it"), ("npz", "no place"), ("imagefolder", "XMP")],
)
def test_marks_are_said_where_they_are(format, where):
    manifest = {"generation": {"num_images": 80} | ({"format": format} if format else {})}
    assert "carry no mark" in marks_section(manifest)
    marked = marks_section(manifest | {"marks": {"Iptc4xmpExt:DigitalSourceType": "x"}})
    assert where in marked
    assert "`trainedAlgorithmicMedia`" in marked
    assert "helps to meet Article 50(2)" in marked
    assert "complies" not in marked


@pytest.mark.parametrize("how", [{"signed_by": "sha256:ab"}, {"signature": {"fingerprint": "sha256:ab"}}])
def test_the_key_is_named_where_there_is_one(how):
    said = marks_section(MADE | how)
    assert "by the key `sha256:ab`" in said
    assert "--key FINGERPRINT" in said
    assert "It is not signed" not in said
    assert "It is not signed" in marks_section(MADE)
