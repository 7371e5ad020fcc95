"""What a version of a model carries of its images' origin; where it is read is tested in tests/integration."""

from tasks.dataset.origin import MOST_CHARACTERS, RecordedOrigin


def test_tags_are_what_was_said_made_fit_to_be_shown():
    assert RecordedOrigin().tags() == {}
    told = RecordedOrigin(name="pets", licence="CC0-1.0", credit="a\x1b[2J", description="not a tag")
    assert told.tags() == {"licence": "CC0-1.0", "credit": r"a\x1b[2J"}


def test_a_text_that_nobody_checked_is_no_tag_where_it_is_too_long():
    assert RecordedOrigin(licence="x" * (MOST_CHARACTERS + 1)).tags() == {}
