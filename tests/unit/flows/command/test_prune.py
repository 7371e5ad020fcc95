"""What `ganflow prune` tells."""

import pytest

from flows.command.prune import human, plan_lines, pruned_lines
from tasks.prune.records import Item, Plan, Pruned, Stays


def item(name, size, **given):
    facts = {"what": "runs", "kind": "training run", "place": "file:///x", "why": "old"} | given
    return Item(name=name, bytes=size, **facts)


ITEMS = (item("a" * 32, 1500), item("b" * 32, 2_000_000, freed=False), item("page", 7, what="evaluations", kind="page"))
STAYS = tuple(Stays(what="runs", kind="training run", name=name, why="version 1 of m") for name in "cd")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_550_000, "1.6 MB"),
        (3 * 10**9, "3.0 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_bytes_for_people(count, text):
    assert human(count) == text


def test_a_plan_is_grouped_with_bytes_and_says_what_a_server_keeps():
    text = "\n".join(plan_lines(Plan(older_than=30, items=ITEMS, stays=STAYS)))
    assert "runs: 2 things, 1.5 kB, and 2.0 MB that MLflow's server keeps" in text
    assert "training run  aaaaaaaaaaaa  1.5 kB  old" in text
    assert "evaluations: 1 thing, 7 B\n" in text
    assert "together 3 things, 1.5 kB, and 2.0 MB" in text
    assert text.endswith("stays\n  2  training run: version 1 of m")


def test_nothing_to_do_is_said():
    assert plan_lines(Plan(older_than=30, items=(), stays=())) == ["nothing that is older than 30 days may go", ""]


def test_what_was_left_after_all_is_said():
    plan = Plan(older_than=30, items=ITEMS, stays=())
    left = Stays(what="runs", kind="training run", name="b", why="it is being written again")
    result = Pruned(plan=plan, dry_run=False, removed=ITEMS[:1], skipped=(left,))
    assert pruned_lines(result) == [
        "runs: 1 thing, 1.5 kB",
        "removed 1 thing, 1.5 kB",
        "left training run b: it is being written again",
    ]
