"""Lines of `ganflow doctor`, its JSON and exit status, and what it says of Prefect's server."""

import json

import pytest

from flows.command.doctor import check_lines, prefect_check
from tasks.doctor.check import HERE, Check
from tasks.runtime.settings import Settings


def test_lines_stand_in_columns_with_what_to_do_below():
    found = [
        Check("home", HERE, True, "/home/a is written"),
        Check("storage", "10.0.0.2", False, "/runs cannot be used", "mount it there"),
        Check("clock", "10.0.0.2", True, "+9000 ms", "synchronise it"),
        Check("Ray", HERE, None, "no cluster \x1b[2J"),
    ]
    assert check_lines(found) == [
        "✓ home     here      /home/a is written",
        "✗ storage  10.0.0.2  /runs cannot be used",
        "                     → mount it there",
        "! clock    10.0.0.2  +9000 ms",
        "                     → synchronise it",
        r"– Ray      here      no cluster \x1b[2J",
        "1 wrong, 1 to look at, of 4",
    ]


@pytest.fixture
def found(monkeypatch):
    found = []
    monkeypatch.setattr("tasks.doctor.machine.machine_checks", lambda settings, facts: list(found))
    return found


def test_what_is_wrong_makes_the_status_one(ganflow, found):
    found.append(Check("memory", HERE, False, "0.1 GiB free", "end other programs"))
    status, out, _ = ganflow("doctor", "--json")
    answer = json.loads(out)
    assert status == 1
    assert answer["ok"] is False
    assert answer["checks"][0] == {
        "name": "memory",
        "node": "here",
        "ok": False,
        "value": "0.1 GiB free",
        "remedy": "end other programs",
    }


def test_a_warning_leaves_it_at_zero(ganflow, found):
    found.append(Check("memory", HERE, True, "3 GiB free", "end other programs"))
    status, out, _ = ganflow("doctor")
    assert status == 0
    assert "0 wrong, 1 to look at, of 3" in out
    assert "no cluster is named by RAY_ADDRESS" in out


@pytest.mark.parametrize(
    ("url", "ok", "words"),
    [
        (None, True, "no server is named"),
        ("http://127.0.0.1:9/api", False, "no server answers at http://127.0.0.1:9/api"),
        ("https://user:word@prefect.example/api", None, "https://prefect.example/api was not asked"),
    ],
)
def test_a_server_of_prefect(monkeypatch, tmp_path, url, ok, words):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    if url:
        monkeypatch.setenv("PREFECT_API_URL", url)
    check = prefect_check(Settings(ganflow_home=tmp_path))
    assert check.ok is ok
    assert words in check.value
