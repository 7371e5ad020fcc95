"""The line about a licence that nobody said; the rest needs a registry: tests/integration/test_origin.py."""

from tasks.generate.licence import unsaid_line


def test_a_licence_that_nobody_said_is_a_line():
    assert "ganflow ingest --license" in unsaid_line(None)
    assert unsaid_line("") == unsaid_line(None)
    assert unsaid_line("CC0-1.0") is None
