"""Each test that SECURITY.md names is there."""

import re
from pathlib import Path

import pytest

import gan

ROOT = Path(gan.__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and "tests/" in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_the_tests_of_a_threat_are_there(row):
    file = None
    for path, test in re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", row.split("|")[3]):
        file = path or file
        assert f"def {test}" in (ROOT / str(file)).read_text("utf-8")


def test_every_threat_names_one():
    table = PAGE[PAGE.index("## Threats") :]
    threats = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert threats == ROWS
    assert len(threats) > 10
