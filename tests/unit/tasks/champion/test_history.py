"""The history: which changes take effect, and what follows from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gan.errors import InputError
from tasks.champion.history import BY_HAND, FOUND, PROMOTED, ROLLED_BACK, Change, History, require_reason


def change(number, follows, before, after, kind=PROMOTED, intent=None):
    return Change(
        number=number,
        follows=follows,
        kind=kind,
        before=before,
        after=after,
        who="anna",
        why="better",
        intent=intent or f"intent {number}",
        at=1_700_000_000_000,
    )


def chain(*steps):
    """Changes one after another: a version is promoted, a pair of kind and version is as it says."""
    changes, in_use = [], None
    for number, each in enumerate(steps, 1):
        kind, after = each if isinstance(each, tuple) else (PROMOTED, each)
        changes.append(change(number, number - 1, in_use, after, kind))
        in_use = after
    return History.of(changes)


def test_without_changes_there_is_no_champion():
    history = History.of([])
    assert (history.champion, history.former, history.head, history.last) == (None, (), 0, None)


def test_a_chain_of_promotions():
    history = chain(1, 2, 3)
    assert (history.champion, history.former, history.head) == (3, (1, 2), 3)
    assert history.withdrawn == frozenset()


def test_of_two_changes_upon_one_champion_the_first_has_effect():
    history = History.of([change(3, 1, 1, 7), change(1, 0, None, 1), change(2, 1, 1, 5)])
    assert [each.number for each in history.changes] == [1, 2]
    assert history.champion == 5


def test_who_was_too_late_does_not_hinder_who_follows_the_one_before():
    history = History.of([change(1, 0, None, 1), change(2, 1, 1, 5), change(3, 1, 1, 7), change(4, 2, 5, 7)])
    assert [each.number for each in history.changes] == [1, 2, 4]
    assert history.former == (1, 5)


@pytest.mark.parametrize("wrong", [change(2, 1, 9, 5), change(3, 2, 1, 5), change(2, 0, None, 5)])
def test_what_does_not_follow_comes_to_nothing(wrong):
    assert History.of([change(1, 0, None, 1), wrong]).champion == 1


def test_an_intent_is_done_once():
    again = [change(1, 0, None, 1), change(2, 1, 1, 2, intent="x"), change(3, 2, 2, 1, intent="x")]
    history = History.of(again)
    assert history.champion == 2
    assert history.by_intent("x") == again[1]
    assert history.by_intent("y") is None


def test_going_back_takes_what_came_after_away():
    history = chain(1, 2, 3, (ROLLED_BACK, 2))
    assert (history.champion, history.former, history.withdrawn) == (2, (1,), {3})
    further = chain(1, 2, 3, 4, (ROLLED_BACK, 2))
    assert (further.champion, further.former, further.withdrawn) == (2, (1,), {4})


def test_what_was_withdrawn_is_gone_back_to_only_when_it_was_promoted_again():
    history = chain(1, 2, (ROLLED_BACK, 1), 3)
    assert (history.former, history.withdrawn) == ((1,), {2})
    again = chain(1, 2, (ROLLED_BACK, 1), 2, 3)
    assert (again.former, again.withdrawn) == ((1, 2), frozenset())


def test_a_version_that_comes_again_stands_once():
    assert chain(1, 2, 3, 1).former == (2, 3)


def test_an_alias_that_was_taken_away_leaves_what_stood():
    history = chain(1, 2, (BY_HAND, None))
    assert (history.champion, history.former) == (None, (1, 2))
    assert chain((FOUND, 4), (BY_HAND, None), 5).former == (4,)


@pytest.mark.parametrize(("number", "follows", "before", "after"), [(1, 0, 2, 2), (1, 1, None, 2), (1, 2, None, 2)])
def test_a_change_changes_something_and_comes_later(number, follows, before, after):
    with pytest.raises(ValidationError, match="changes nothing"):
        change(number, follows, before, after)


def test_a_row_says_when_in_utc():
    row = change(1, 0, None, 4).row
    assert row["when (UTC)"] == "2023-11-14 22:13:20"
    assert (row["from"], row["to"], row["change"]) == ("-", "4", "promoted")


@pytest.mark.parametrize("reason", [None, "", " \n"])
def test_nobody_changes_the_champion_without_a_reason(reason):
    with pytest.raises(InputError, match="for a reason alone"):
        require_reason(reason)


def test_a_reason_is_taken_as_it_is():
    assert require_reason(" it has stripes ") == "it has stripes"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.none() | st.integers(1, 4),
            st.none() | st.integers(1, 4),
            st.sampled_from([PROMOTED, ROLLED_BACK, BY_HAND, FOUND]),
            st.sampled_from("abcdefgh"),
        ).filter(lambda each: each[1] != each[2]),
        max_size=12,
    ),
    st.randoms(),
)
def test_whatever_is_written_the_changes_in_effect_are_one_chain(written, shuffled):
    changes = [
        change(number, follows, before, after, kind, intent)
        for number, (follows, before, after, kind, intent) in enumerate(written, 1)
        if follows < number
    ]
    history = History.of(changes)
    in_use, last = None, 0
    for each in history.changes:
        assert (each.follows, each.before) == (last, in_use)
        in_use, last = each.after, each.number
    assert (history.champion, history.head) == (in_use, last)
    assert len({each.intent for each in history.changes}) == len(history.changes)
    assert history.champion not in history.former
    assert len(set(history.former)) == len(history.former)
    assert history.champion not in history.withdrawn
    shuffled.shuffle(changes)
    assert History.of(changes) == history, "the order in which they are read is of no matter"
    assert History.of(history.changes) == history
