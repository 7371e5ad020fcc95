"""A group lists its verbs by the first line of their docstrings, whole."""

from typer.testing import CliRunner

from flows.command.group import group

LONG = "Do a great many things " * 12


def first() -> None:
    pass


def second() -> None:
    """Do another thing.

    At length.
    """


first.__doc__ = f"{LONG}.\n\nAnd more."


def test_the_first_line_stands_in_the_list_whole():
    inner = group("inner", "What is inside.", (second, first))
    shown = CliRunner().invoke(group("outer", "All of it.", (first, second), [inner]), ["--help"]).output
    words = shown.split("Commands:")[1].split()
    assert words.count("things") == 12
    assert "And" not in words
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("  ") and line[2] != " "][-3:] == [
        "first",
        "second",
        "inner",
    ]


def test_verbs_of_a_group_within_are_called():
    inner = group("inner", "What is inside.", (second, first))
    outer = group("outer", "All of it.", (first, second), [inner])
    assert CliRunner().invoke(outer, ["inner", "second"]).exit_code == 0
    shown = CliRunner().invoke(outer, ["inner", "second", "--help"])
    assert "At length." in shown.output
    assert CliRunner().invoke(outer, ["inner", "third"]).exit_code == 2
