"""What `ganflow promote`, `rollback` and `history` print for people."""

import pytest

from flows.command.champion import history_lines, promoted_lines, rollback_lines
from flows.promote import Promoted
from tasks.champion.history import PROMOTED, ROLLED_BACK, Change, History
from tasks.champion.step import RolledBack

BACK = {"champion": 3, "withdrawn": 5, "previous": 2, "recalled": ("v5-001", "v5-002"), "reason": "stripes"}


def changes(*steps):
    written, in_use = [], None
    for number, (kind, after, who, why) in enumerate(steps, 1):
        facts = {"number": number, "follows": number - 1, "kind": kind, "before": in_use, "after": after}
        written.append(Change(**facts, who=who, why=why, intent=str(number), at=1_800_000_000_000 + 60_000 * number))
        in_use = after
    return History.of(written)


def test_without_a_champion_it_says_how_to_get_one():
    assert history_lines("pets", History(), 20) == ["no champion of pets yet: `ganflow retrain` trains the first"]


def test_the_newest_change_comes_first_and_is_marked():
    found = changes((PROMOTED, 1, "anna", "first"), (PROMOTED, 12, "ben", "better"), (ROLLED_BACK, 1, "anna", "worse"))
    assert history_lines("pets", found, 20) == [
        "   when (UTC)           change       from  to  who   why",
        "*  2027-01-15 08:03:00  rolled back    12   1  anna  worse",
        "   2027-01-15 08:02:00  promoted        1  12  ben   better",
        "   2027-01-15 08:01:00  promoted        -   1  anna  first",
    ]


def test_a_longer_history_says_how_to_see_the_rest():
    found = changes(*((PROMOTED, version, "anna", "better") for version in range(1, 6)))
    lines = history_lines("pets", found, 2)
    assert len(lines) == 4
    assert lines[-1] == "and 3 earlier ones: --limit 5"


def test_a_terminal_obeys_nothing_that_a_reason_holds():
    (_, line) = history_lines("pets", changes((PROMOTED, 1, "anna", "\x1b[2J")), 20)
    assert line.isprintable()


@pytest.mark.parametrize(
    ("before", "lines"),
    [
        (None, ["champion  version 4 is the first champion: it looks right"]),
        (4, ["champion  version 4 is champion already: it looks right"]),
        (
            3,
            [
                "champion  version 4 is champion in place of version 3: it looks right",
                "          undo: ganflow rollback --reason …",
            ],
        ),
    ],
)
def test_a_promotion_says_how_to_undo_it(before, lines):
    assert promoted_lines(Promoted(version=4, before=before, reason="it looks right")) == lines


def test_a_way_back_says_what_was_recalled():
    assert rollback_lines(RolledBack(**BACK)) == [
        "champion  version 3 is champion again, version 5 is withdrawn: stripes",
        "recalled  v5-001, v5-002",
    ]
    assert rollback_lines(RolledBack(**BACK | {"withdrawn": None, "recalled": ()})) == [
        "champion  version 3 is champion again: stripes",
        "recalled  none: the withdrawn version has made none",
    ]
