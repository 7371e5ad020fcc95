"""Releases published or kept apart, in a real registry (SQLite) and a real DVC repository."""

import dataclasses
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from copied_home import copied
from mlflow.artifacts import download_artifacts

from gan.configuration.config import NetworkConfig
from gan.errors import ReleaseError, ReleaseRefusedError
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from tasks.dataset import untracking
from tasks.generate import publishing
from tasks.generate.manifest import verify_release
from tasks.generate.names import choose_name
from tasks.generate.publishing import PAGE, publish, refuse
from tasks.generate.release import build_release
from tasks.releases import removing
from tasks.releases.removing import keep_newest
from tasks.releases.states import recall, releases
from tasks.runtime.locks import reading
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, run
from tasks.tracking.registry import register_version
from tasks.tracking.versions import find_model
from tests.unit.tasks.generate.test_judging import CONFIG, EVALUATION

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
NETWORK = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Settings(ganflow_home=tmp_path / "home", ganflow_user="anna")


@pytest.fixture
def sent(monkeypatch):
    events = []
    monkeypatch.setattr("tasks.releases.step.send_event", lambda event, **facts: events.append((event, facts)))
    monkeypatch.setattr("tasks.releases.step.get_run_logger", pytest.fail)
    return events


@pytest.fixture(scope="module")
def registered(tmp_path_factory, without_onnx):
    """A home whose registry has one version."""
    tags = {"dataset_md5": "0" * 32, "class_names": json.dumps(["a", "b", "c"])}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        settings = Settings(ganflow_home=tmp_path_factory.mktemp("registered"))
        with run(settings, TRAINING, "small", tags) as log:
            register_version(settings, log, generator(), checkpoint="c", config={}, tags=tags, card="# card")
    return settings.home


@pytest.fixture
def version(settings, registered):
    copied(registered, settings.home)
    return find_model(settings, "1")


def generator():
    return SeededGenerator(build_generator(NETWORK, channels=1, num_classes=3))


def drawn(settings, version, name):
    options = {"evaluation": EVALUATION, "training_digests": (), "configuration": "preset debug"}
    return build_release(settings, version, generator(), CONFIG, name=name, **options)


def test_a_release_is_tracked_recorded_and_announced_and_told_where_the_remote_is_away(settings, version, sent):
    warnings = []
    released = publish(settings, version, drawn(settings, version, "v1-001"), warnings.append)
    assert (released.name, released.num_images, released.push_error, warnings) == ("v1-001", 200, None, [])
    (record,) = releases(settings)
    assert (record.name, str(record.state), record.md5) == ("v1-001", "published", released.md5)
    assert [event for event, _ in sent] == ["release.published"]
    assert sent[0][1]["payload"]["name"] == "v1-001"
    page = download_artifacts(f"runs:/{record.run_id}/{PAGE}", tracking_uri=settings.tracking_uri)
    assert "is fit to be handed on" in Path(page).read_text()
    shutil.rmtree(settings.state_dir / "remote")
    (settings.state_dir / "remote").write_text("a file where the remote was")
    released = publish(settings, version, drawn(settings, version, "v1-002"), warnings.append)
    assert released.push_error
    assert warnings == [released.push_error]
    recall(settings, "v1-001", "stripes")
    assert {each.name: str(each.state) for each in releases(settings)} == {"v1-001": "recalled", "v1-002": "published"}


def test_what_is_not_fit_is_recorded_with_the_reason_and_never_tracked(settings, version, sent, monkeypatch):
    release = drawn(settings, version, "v1-001")
    monkeypatch.setattr(publishing, "track_release", pytest.fail)
    monkeypatch.setattr(type(release), "refused", ("its images copy", "class b has collapsed"))
    error = refuse(settings, version, release)
    assert isinstance(error, ReleaseRefusedError)
    assert "release v1-001 is not fit to be handed on" in str(error)
    assert "its images copy; class b has collapsed" in str(error)
    (record,) = releases(settings)
    assert (str(record.state), record.reason, record.md5) == (
        "quarantined", "its images copy; class b has collapsed", None,
    )  # fmt: skip
    assert [event for event, _ in sent] == ["release.quarantined"]


def published(settings, version, *names):
    for name in names:
        publish(settings, version, drawn(settings, version, name), pytest.fail)


def there(settings):
    return sorted(path.name for path in settings.synthetic_dir.iterdir() if not path.name.startswith("."))


def pairs(*names):
    return sorted([*names, *(f"{name}.dvc" for name in names)])


def states(settings):
    return {each.name: each.row["state"] for each in releases(settings)}


def test_what_is_older_than_the_newest_goes_and_its_name_and_bytes_stay_known(settings, version, sent, monkeypatch):
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=settings.home, check=True)
    published(settings, version, "v1-001", "v1-002", "v1-003", "v1-004")
    with monkeypatch.context() as patch:
        refused = drawn(settings, version, "v1-000")
        settings.quarantine_dir.mkdir(parents=True)
        refused.folder.rename(settings.quarantine_dir / "v1-000")
        refused = dataclasses.replace(refused, folder=settings.quarantine_dir / "v1-000")
        patch.setattr(type(refused), "refused", ("copies",))
        refuse(settings, version, refused)
    recall(settings, "v1-003", "stripes")
    published(settings, version, "v1-005", "v1-006")
    prints = settings.state_dir / "fingerprints" / "v1-001.npz"
    prints.parent.mkdir(exist_ok=True)
    prints.touch()
    cached = sorted(path for path in (settings.home / ".dvc/cache").rglob("*") if path.is_file())
    removed = keep_newest(settings, 3, "v1-006", pytest.fail)
    assert removed == ("v1-003", "v1-001", "v1-002")
    assert there(settings) == pairs("v1-004", "v1-005", "v1-006")
    assert (settings.quarantine_dir / "v1-000").exists()  # newer than the third
    assert states(settings) == {
        **dict.fromkeys(("v1-004", "v1-005", "v1-006"), "published"),
        **dict.fromkeys(removed, "removed"),
        "v1-000": "quarantined",
    }
    assert keep_newest(settings, 2, "v1-006", pytest.fail) == ("v1-000", "v1-004")
    assert not (settings.quarantine_dir / "v1-000").exists()
    assert prints.exists()
    assert cached == sorted(path for path in (settings.home / ".dvc/cache").rglob("*") if path.is_file())
    assert (settings.synthetic_dir / ".gitignore").read_text().split() == ["/v1-005", "/v1-006"]
    assert keep_newest(settings, 1, "v1-005", pytest.fail) == ()  # what was just made stays
    # Their images would come again under their names.
    assert choose_name(settings, 1, None) == "v1-007"
    with pytest.raises(ReleaseError, match=r"there was a release v1-001, which was removed \(only the newest 3"):
        choose_name(settings, 1, "v1-001")
    assert choose_name(settings, 1, "v1-006") == "v1-006"


def test_what_somebody_reads_stays_for_now(settings, version, sent):
    published(settings, version, "v1-001", "v1-002")
    warnings = []
    with reading(settings.synthetic_dir / "v1-001"):
        assert keep_newest(settings, 1, "v1-002", warnings.append) == ()
    assert warnings == ["release v1-001 is older than the newest 1, and stays for now: somebody reads it"]
    assert states(settings) == {"v1-001": "published", "v1-002": "published"}
    assert keep_newest(settings, 1, "v1-002", pytest.fail) == ("v1-001",)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", ["mark", "begun", "folder", "pointer"])
def test_a_kill_leaves_old_or_new_and_the_next_one_ends_it(settings, version, sent, monkeypatch, step):
    published(settings, version, "v1-001", "v1-002")

    def die(*arguments, **options):
        raise Killed

    owner, name = {
        "mark": (removing, "mark_removed"),
        "begun": (removing, "untrack_release"),
        "folder": (Path, "unlink"),
        "pointer": (untracking, "git_unignore"),
    }[step]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        with pytest.raises(Killed):
            keep_newest(settings, 1, "v1-002", pytest.fail)
    folder = settings.synthetic_dir / "v1-001"
    assert folder.exists() == (step in ("mark", "begun"))
    assert not folder.exists() or verify_release(folder)
    assert states(settings)["v1-001"] == ("published" if step == "mark" else "removed")
    keep_newest(settings, 1, "v1-002", pytest.fail)
    assert there(settings) == pairs("v1-002")
    assert states(settings)["v1-001"] == "removed"
    assert choose_name(settings, 1, None) == "v1-003"


@contextmanager
def interrupted(monkeypatch, step):
    """Ctrl-C within the block, at a step of the publishing."""

    def end(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, step, end)
        with pytest.raises(KeyboardInterrupt):
            yield


def test_what_ends_the_recording_leaves_what_was_there_before(settings, version, sent, monkeypatch):
    pointer = settings.synthetic_dir / "v1-001.dvc"
    for before in (None, b"outs: []  # of a release whose folder somebody has removed\n"):
        if before:
            pointer.write_bytes(before)
        release = drawn(settings, version, "v1-001")
        with interrupted(monkeypatch, "log_release"):
            publish(settings, version, release, pytest.fail)
        assert not release.folder.exists()
        assert (pointer.read_bytes() if pointer.exists() else None) == before
        assert (releases(settings), sent) == ([], [])
        assert choose_name(settings, 1, None) == "v1-001"
    again = drawn(settings, version, "v1-001")
    assert not again.existed
    released = publish(settings, version, again, pytest.fail)
    assert choose_name(settings, 1, None) == "v1-002"
    with interrupted(monkeypatch, "log_release"):
        publish(settings, version, drawn(settings, version, "v1-001"), pytest.fail)
    assert released.md5 in pointer.read_text(), "recorded, it stays, whatever becomes of a second record"
    assert again.folder.exists()


def test_a_refusal_that_is_not_recorded_leaves_the_name_free(settings, version, sent, monkeypatch):
    release = drawn(settings, version, "v1-001")
    apart = settings.quarantine_dir / "v1-001"
    apart.parent.mkdir(parents=True)
    release.folder.rename(apart)
    monkeypatch.setattr(type(release), "refused", ("its images copy",))
    with interrupted(monkeypatch, "run"):
        refuse(settings, version, dataclasses.replace(release, folder=apart))
    assert not apart.exists()
    assert (releases(settings), sent) == ([], [])
    assert choose_name(settings, 1, None) == "v1-001"
    assert not drawn(settings, version, "v1-001").existed
