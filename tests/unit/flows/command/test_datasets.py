"""What `ganflow dataset` prints for people, and its help."""

import pytest
import typer
from typer.testing import CliRunner

from flows.command.datasets import app, checkout_lines, diff_lines, log_lines, show_lines
from tasks.dataset.catalogue import CheckedOut, Described, Version
from tasks.dataset.diff import Moved, VersionDiff

OLD, NEW = "a" * 32, "b" * 32
VERBS = {"log": {"--json"}, "show": {"--json"}, "diff": {"--json"}, "checkout": {"--json"}}


def changes(**fields):
    nothing = {"train": {}, "test": {}}
    empty = {"settings": {}, "added": nothing, "removed": nothing, "relabelled": [], "moved": [], "unchanged": 0}
    return VersionDiff(**{"before": OLD, "after": NEW, **empty, **fields})


def moved(count, splits, classes):
    names = ("split_before", "split_after", "class_before", "class_after")
    return Moved(count=count, **dict(zip(names, (*splits, *classes), strict=True)))


def test_versions_are_an_aligned_table():
    made = {"first_made": "2026-01-02T03:04Z", "num_test": 7, "source": "digits"}
    assert log_lines(
        [
            Version(md5=NEW, current=True),
            Version(md5=OLD, current=False, num_train=12345, **made),
        ]
    ) == [
        "   version       first made         train  test  source",
        "*  bbbbbbbbbbbb  -                      -     -  -",
        "   aaaaaaaaaaaa  2026-01-02T03:04Z  12345     7  digits",
    ]


def test_a_source_of_any_name_keeps_the_table_aligned():
    odd = Version(md5=NEW, current=True, num_train=1, num_test=1, source="a\x1b[2J\n\u202eb")
    assert log_lines([odd])[1].endswith(r"  a\x1b[2J\n\u202eb")
    assert len(log_lines([odd])) == 2


def test_no_versions_say_how_to_make_one():
    (line,) = log_lines([])
    assert "ganflow ingest" in line


def test_nothing_changed_is_one_line():
    assert diff_lines(changes(unchanged=9)) == [
        "dataset     aaaaaaaaaaaa → bbbbbbbbbbbb: +0 −0, 0 relabelled, 0 moved, 9 unchanged"
    ]


def test_changes_are_a_table_by_class():
    both = moved(2, ("train", "test"), ("cat", "dog"))
    result = changes(
        settings={"crop": (None, "centre"), "resolution": (8, 16), "long": ("x" * 99, True)},
        added={"train": {"cat": 12, "dog": 1}, "test": {"cat": 1}},
        removed={"train": {}, "test": {"elk": 100}},
        relabelled=[both, moved(3, ("test", "test"), ("elk", "cat"))],
        moved=[both],
        unchanged=5,
    )
    assert diff_lines(result) == [
        "dataset     aaaaaaaaaaaa → bbbbbbbbbbbb: +14 −100, 5 relabelled, 2 moved, 5 unchanged",
        'setting     crop: none → "centre"',
        "setting     resolution: 8 → 16",
        f'setting     long: "{"x" * 58}… → true',
        "relabelled  cat → dog: 2 in test",
        "relabelled  elk → cat: 3 in test",
        "moved       train → test: 2 of dog",
        "class   train     test",
        "cat    +12 −0    +1 −0",
        "dog     +1 −0    +0 −0",
        "elk     +0 −0  +0 −100",
        "total  +13 −0  +1 −100",
    ]


@pytest.mark.parametrize(("changed", "state"), [(True, "now the current"), (False, "the current version already")])
def test_a_checkout_says_what_comes_next(changed, state):
    first, second = checkout_lines(CheckedOut(md5=OLD, changed=changed, num_train=4, num_test=2))
    assert state in first
    assert first.endswith("4 train + 2 test")
    assert "`ganflow retrain`" in second


def test_the_verbs_and_their_options_are_these():
    command = typer.main.get_command(app)
    options = {
        name: {
            option for parameter in verb.params if parameter.param_type_name == "option" for option in parameter.opts
        }
        for name, verb in command.commands.items()
    }
    assert options == VERBS


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_says_what_a_verb_does_and_how_to_name_a_version(verb):
    result = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0
    assert "data" in result.output
    command = typer.main.get_command(app).commands[verb]
    for parameter in command.params:
        if parameter.name != "help":
            assert parameter.help, parameter.name
    if verb != "log":
        assert "ganflow dataset log" in result.output


def test_a_licence_has_a_column_where_there_is_one():
    some = [Version(md5=NEW, current=True, licence="CC0-1.0"), Version(md5=OLD, current=False)]
    assert log_lines(some) == [
        "   version       first made  train  test  licence  source",
        "*  bbbbbbbbbbbb  -               -     -  CC0-1.0  -",
        "   aaaaaaaaaaaa  -               -     -  -        -",
    ]


def test_a_version_says_what_is_known_of_it():
    info = {"format_version": 2, "name": "pets", "licence": "CC0-1.0", "resolution": 8}
    lines = show_lines(Described(md5=OLD, current=True, first_made=None, info=info))
    assert lines == [
        f"dataset           {OLD}, the current version, first made elsewhere",
        "name              pets",
        "source kind       unknown",
        "licence           CC0-1.0",
        "source url        unknown",
        "credit            unknown",
        "description       unknown",
        "format version    2",
        "resolution        8",
    ]
