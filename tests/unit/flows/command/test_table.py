"""A table on a terminal."""

from flows.command.table import table


def test_columns_stand_below_each_other_and_numbers_to_the_right():
    assert table([("name", "n"), ("a", "10"), ("abcdef", "2")], right={1}) == ["name     n", "a       10", "abcdef   2"]


def test_what_a_terminal_would_obey_is_counted_as_it_is_shown():
    assert table([("a\x1b", "x"), ("bcdefg", "y")], right=set()) == [r"a\x1b   x", "bcdefg  y"]
