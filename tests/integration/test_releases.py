"""States of releases in a real registry: published, recalled, quarantined, and what is listed of them."""

import itertools
import shutil

import pytest

from flows.recall import recall as recall_flow
from gan.errors import InputError
from tasks.releases.states import STATE, State, recall, recall_releases, recalled_releases, releases
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, client, experiment_id, run

pytestmark = pytest.mark.integration
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    client(Settings(ganflow_home=path.parent, mlflow_tracking_uri=f"sqlite:///{path}")).search_experiments()
    return path


@pytest.fixture
def settings(database, tmp_path):
    shutil.copy(database, tmp_path / "mlflow.db")
    return Settings(
        ganflow_home=tmp_path, mlflow_tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}", ganflow_user="anna"
    )


def drawn(settings, name, version=1, **tags):
    facts = {"release": name, "model_version": str(version), "num_images": "64", "release_md5": "a" * 32}
    with run(settings, RELEASES, name, facts | {"model": settings.model} | tags) as log:
        return log.run_id


def states(settings):
    return {each.name: str(each.state) for each in releases(settings)}


def test_the_newest_comes_first_and_other_models_are_not_ours(settings):
    assert releases(settings) == []
    for name in ("v1-001", "v1-002"):
        drawn(settings, name)
    drawn(settings, "theirs", model="another")
    drawn(settings, "v2-001", version=2, num_images="many")
    found = releases(settings)
    assert [each.name for each in found] == ["v2-001", "v1-002", "v1-001"]
    assert [each.num_images for each in found] == [None, 64, 64]
    assert {each.state for each in found} == {State.PUBLISHED}


def test_a_recalled_release_says_why_and_by_whom_and_drawing_it_again_frees_it_not(settings):
    run_id = drawn(settings, "v1-001")
    drawn(settings, "v1-002")
    record = recall(settings, "v1-001", "stripes\x1b[2J")
    assert (record.state, record.reason) == (State.RECALLED, "stripes\\x1b[2J")
    assert client(settings).get_run(run_id).data.tags["recalled_by"] == "anna"
    assert states(settings) == {"v1-001": "recalled", "v1-002": "published"}
    drawn(settings, "v1-001")  # checked once more, by the same command
    assert states(settings)["v1-001"] == "recalled"
    drawn(settings, "v1-001", release_md5="b" * 32)  # removed, and made anew with other bytes
    assert states(settings)["v1-001"] == "published"


def test_what_was_never_published_cannot_be_recalled(settings):
    drawn(settings, "v1-001", **{STATE: "quarantined", State.QUARANTINED.because: "copies"})
    (found,) = releases(settings)
    assert (found.state, found.reason) == (State.QUARANTINED, "copies")
    with pytest.raises(InputError, match="quarantined and was never published"):
        recall(settings, "v1-001", "no")
    with pytest.raises(InputError, match=r"no release v9-001 of .*`ganflow releases` lists them \(v1-001\)"):
        recall(settings, "v9-001", "no")


def test_a_withdrawn_version_recalls_what_was_published_and_keeps_earlier_reasons(settings):
    for name in ("v1-001", "v1-002", "v1-003"):
        drawn(settings, name, **({STATE: "quarantined"} if name == "v1-003" else {}))
    drawn(settings, "v2-001", version=2)
    recall(settings, "v1-001", "stripes")
    recall_releases(settings, 1, "withdrawn")
    assert recalled_releases(settings, 1) == ["v1-001", "v1-002"]
    assert states(settings) == {"v2-001": "published", "v1-003": "quarantined"} | dict.fromkeys(
        ("v1-001", "v1-002"), "recalled"
    )
    assert {each.name: each.reason for each in releases(settings)}["v1-001"] == "stripes"


def test_a_state_that_is_none_of_ours_is_no_state(settings):
    drawn(settings, "v1-001", **{STATE: "whatever"})
    assert states(settings) == {"v1-001": "published"}


def test_the_flow_recalls_and_tells_prefect(settings, monkeypatch):
    monkeypatch.setenv("GANFLOW_HOME", str(settings.home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settings.tracking_uri)
    sent = []
    monkeypatch.setattr("tasks.releases.step.send_event", lambda event, **facts: sent.append((event, facts)))
    drawn(settings, "v1-001")
    for _ in range(2):
        assert recall_flow("v1-001", "stripes").state is State.RECALLED
    assert [event for event, _ in sent] == ["release.recalled"] * 2
    assert sent[0][1]["resource"] == "ganflow.release.v1-001"
    assert sent[0][1]["event_id"] == sent[1][1]["event_id"]  # for Prefect the same event
    with pytest.raises(InputError, match="--reason"):
        recall_flow("v1-001", " ")


def test_experiment_of_releases_is_made_where_it_is_read(settings):
    assert releases(settings) == []
    assert experiment_id(client(settings), settings, RELEASES)
