"""A release's record, read from the tags of its run; the states themselves are tested on a registry."""

import pytest

from tasks.releases.states import ReleaseRecord, State
from tasks.tracking.past import PastRun


def of(**tags):
    started = 1_800_000_000_000
    return ReleaseRecord.of(
        PastRun(
            run_id="r",
            experiment="ganflow-releases",
            status="FINISHED",
            started=started,
            tags=tags,
            params={},
            metrics={},
        )
    )


def test_all_tags():
    found = of(
        release="v3-001", model_version="3", num_images="64", release_md5="a", state="recalled", recalled_because="x"
    )
    assert (found.name, found.version, found.num_images, found.md5) == ("v3-001", 3, 64, "a")
    assert (found.state, found.reason, found.drawn_at) == (State.RECALLED, "x", "2027-01-15 08:00:00")
    assert found.row["why"] == "x"


@pytest.mark.parametrize("text", ["", "many", "-3", "²"])
def test_numbers_that_are_none(text):
    found = of(model_version=text, num_images=text)
    assert (found.version, found.num_images) == (0, None)
    assert found.row["images"] == ""


def test_a_removed_release_says_so_and_what_it_was():
    tags = {"removed_because": "only the newest 3 are kept", "removed_at": "2027-01-15 08:00:00"}
    found = of(**tags)
    assert (found.state, found.removed) == (State.PUBLISHED, tags["removed_because"])
    assert (found.row["state"], found.row["why"]) == ("removed", tags["removed_because"])
    found = of(state="recalled", recalled_because="stripes", **tags)
    assert (found.row["state"], found.row["why"]) == ("removed", f"recalled: stripes; {tags['removed_because']}")
    assert of(removed_because="a kill came before the rest").removed is None


def test_a_published_release_has_no_reason():
    assert of(recalled_because="long ago").reason is None
