"""What `ganflow releases` prints for people."""

from flows.command.releases import releases_lines
from tasks.releases.states import ReleaseRecord, State


def record(name, state=State.PUBLISHED, reason=None, num_images=20_000):
    facts = {"version": 12, "md5": "a" * 32, "run_id": "r", "drawn_at": "2027-01-15 08:03:00"}
    return ReleaseRecord(name=name, state=state, reason=reason, num_images=num_images, **facts)


def test_without_a_release_it_says_how_to_get_one():
    assert releases_lines("pets", [], 20) == ["no release of pets yet: `ganflow generate` draws the first"]


def test_a_table_with_states_and_reasons():
    found = [record("v12-002", State.RECALLED, "stripes"), record("v12-001", num_images=None)]
    assert releases_lines("pets", found, 20) == [
        "release  state      version  images  drawn (UTC)          why",
        "v12-002  recalled        12  20,000  2027-01-15 08:03:00  stripes",
        "v12-001  published       12          2027-01-15 08:03:00",
    ]


def test_more_than_are_shown_are_counted():
    assert (
        releases_lines("pets", [record(str(number)) for number in range(5)], 2)[-1] == "and 3 earlier ones: --limit 5"
    )
