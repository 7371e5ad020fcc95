"""Whatever ends `ganflow generate` early, a sentence says so and nothing is half published: the name is still free."""

import json
import sqlite3
import time

import pytest
from copied_home import copied
from drawing_home import home_with_versions, promote
from drilling.tracking_server import TrackingServer
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness
from small_disk import disk, filled

from tasks.champion.changing import Wish, roll_back
from tasks.generate import making, publishing
from tasks.generate.manifest import verify_release
from tasks.generate.partial import Partial
from tasks.generate.step import draw_release
from tasks.releases.states import releases
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, client

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
WORDS = ("generate", "--n", "60", "--shard-images", "10", "--json")
LOADED, DRAWN, TRACKED, RECORDED = (
    (making, "read_program"), (Partial, "keep"), (publishing, "track_release"), (publishing, "log_release"),
)  # fmt: skip


def moments(*fast, slow):
    """Parameters of a test, called by the step before which it happens."""
    marked = [(each, ()) for each in fast] + [(each, pytest.mark.slow) for each in slow]
    return pytest.mark.parametrize("moment", [pytest.param(each, id=each[1], marks=mark) for each, mark in marked])


@pytest.fixture(scope="module", autouse=True)
def server():
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory, without_onnx):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        work = tmp_path_factory.mktemp("made")
        return home_with_versions(work / "home", work, 2)


@pytest.fixture
def settings(made, tmp_path, ganflow):
    return made.model_copy(update={"ganflow_home": copied(made.home, tmp_path / "home")})


@pytest.fixture
def amid(monkeypatch):
    """Do something before a step of the drawing, the first time."""

    def arrange(place, act):
        there, name = place
        real, done = getattr(there, name), []

        def step(*arguments, **named):
            if not done:
                done.append(True)
                act()
            return real(*arguments, **named)

        monkeypatch.setattr(there, name, step)

    return arrange


def refused(answer, *words, status=2):
    returned, out, err = answer
    assert (returned, out) == (status, ""), err
    assert err.startswith("ganflow: "), err
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err


def nothing_is_published(settings):
    folder = settings.synthetic_dir
    assert not folder.exists() or [path.name for path in folder.iterdir() if path.name != ".gitignore"] == []
    assert releases(settings) == []
    opened = client(settings)
    experiment = opened.get_experiment_by_name(RELEASES)
    assert not experiment or not opened.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")


def published(answer, settings, name="v1-001"):
    """Check that a command published one release, and that it is there whole."""
    returned, out, err = answer
    assert returned == 0, err
    result = json.loads(out)
    assert result["name"] == name
    newest = releases(settings)[0]
    assert (newest.name, str(newest.state), newest.md5) == (name, "published", result["md5"])
    assert verify_release(settings.synthetic_dir / name)["model"]["version"] == result["model_version"]
    assert (settings.synthetic_dir / f"{name}.dvc").exists()
    assert list((settings.state_dir / "releases").iterdir()) == []
    return result


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class,count\n3,many\n", "line 2: «many» is no number of images"),
        ("class,count\n3,-1\n", "line 2: «-1» is no number of images"),
        ("class,count\n3,5\n3,6\n", "line 3 names «3» a second time"),
        ("class\n3\n", "line 1: class stands where class,count should"),
        ("class,count\n3\n", "line 2 has 1 columns, not 2"),
        ("", "asks for no image"),
        ("class,count\nhorse,5\n", "line 2 names «horse», which the model does not know: its classes are 0, 1, 2"),
    ],
)
def test_quotas_that_make_no_sense(settings, ganflow, tmp_path, text, words):
    (tmp_path / "want.csv").write_text(text)
    refused(ganflow("generate", "--balance", str(tmp_path / "want.csv")), "want.csv", words)
    assert not settings.synthetic_dir.exists()
    assert releases(settings) == []


@moments(LOADED, slow=(DRAWN, TRACKED, RECORDED))
def test_a_version_that_is_deleted_meanwhile(settings, ganflow, amid, moment):
    amid(moment, lambda: client(settings).delete_model_version(settings.model, "1"))
    refused(ganflow(*WORDS), "has no gan-generator «1»", "ganflow retrain")
    nothing_is_published(settings)
    if moment == RECORDED:
        assert published(ganflow(*WORDS, "--model", "2", "--name", "v1-001"), settings)["model_version"] == 2


@moments(RECORDED, slow=(DRAWN, TRACKED))
def test_a_disk_that_is_full(made, ganflow, amid, monkeypatch, tmp_path, moment):
    with disk(tmp_path / "disk", "size=48m") as small:
        home = copied(made.home, small / "home")
        monkeypatch.setenv("GANFLOW_HOME", str(home))
        settings = Settings(ganflow_home=home, mlflow_tracking_uri=None)
        full = filled(small)
        amid(moment, full.__enter__)
        refused(ganflow(*WORDS), "is full", "free some space", status=1)
        full.__exit__(None, None, None)
        nothing_is_published(settings)
        published(ganflow(*WORDS), settings)


@pytest.mark.slow
def test_a_registry_that_is_locked_when_the_release_is_to_be_recorded(settings, ganflow, amid, monkeypatch):
    monkeypatch.setattr(draw_release, "retries", 0)
    other = sqlite3.connect(settings.home / "mlflow.db")
    amid(RECORDED, lambda: other.execute("BEGIN EXCLUSIVE"))
    refused(ganflow(*WORDS), "MLflow", "try again", status=75)
    other.rollback()
    other.close()
    nothing_is_published(settings)
    published(ganflow(*WORDS), settings)


@pytest.mark.slow
def test_a_server_of_mlflow_that_is_away_when_the_release_is_to_be_recorded(
    settings, ganflow, amid, monkeypatch, tmp_path
):
    server = TrackingServer(tmp_path, f"sqlite:///{settings.home / 'mlflow.db'}", str(tmp_path / "artifacts"))
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
        amid(RECORDED, server.kill)
        refused(ganflow(*WORDS), server.address, "start it", status=75)
        nothing_is_published(settings)
        server.start()
        published(ganflow(*WORDS), settings)
    finally:
        server.kill()


@pytest.mark.slow
def test_the_champion_that_was_asked_for_counts_when_another_one_becomes_it(settings, ganflow, amid):
    amid(LOADED, lambda: promote(settings, 2))
    assert published(ganflow(*WORDS), settings)["model_version"] == 1
    assert published(ganflow(*WORDS), settings, "v2-001")["model_version"] == 2


def eventually(seen):
    deadline = time.monotonic() + 60
    while not (found := seen()) and time.monotonic() < deadline:
        time.sleep(0.25)
    return found


def events(name):
    with get_client(sync_client=True) as opened:
        found = opened.request("POST", "/events/filter", json={"filter": {"event": {"prefix": ["release."]}}}).json()
    return [each["event"] for each in found["events"] if each["payload"]["name"] == name]


@pytest.mark.slow
def test_a_champion_that_is_rolled_back_meanwhile_leaves_a_release_that_is_recalled(settings, ganflow, amid):
    promote(settings, 2)
    amid(DRAWN, lambda: roll_back(settings, None, Wish("stripes", "for the test")))
    returned, out, _ = ganflow(*WORDS, "--name", "withdrawn")
    assert returned == 0
    (record,) = releases(settings)
    assert (record.name, str(record.state), record.version) == ("withdrawn", "recalled", 2)
    assert record.md5 == json.loads(out)["md5"]
    published(ganflow(*WORDS, "--name", "good"), settings, "good")
    assert eventually(lambda: events("good")) == ["release.published"]
    assert events("withdrawn") == ["release.recalled"]
