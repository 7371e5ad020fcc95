"""This machine and its services: what is there, what is not yet, and what is broken."""

import sqlite3
import subprocess

import pytest

from tasks.doctor.check import all_well
from tasks.doctor.machine import (
    dvc_check,
    git_check,
    home_check,
    machine_checks,
    mlflow_check,
    refused_storage,
    release_checks,
    storage_check,
    storage_line,
)
from tasks.doctor.probe import Probe
from tasks.releases.unpublished import lock_of
from tasks.runtime.locks import hold_lock
from tasks.runtime.settings import Settings

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return Settings(ganflow_home=tmp_path / "home", ganflow_storage=None, mlflow_tracking_uri=None, ray_address=None)


def changed(settings, **values):
    return settings.model_copy(update=values)


def test_a_new_home_is_well_and_is_left_empty(settings):
    found = machine_checks(settings, Probe().facts(str(settings.cache_dir)))
    assert {check.name for check in found if check.ok is False} <= {"disk", "memory"}  # the machine's own
    assert all_well([check for check in found if check.name not in {"disk", "memory"}])
    assert [path for path in settings.home.rglob("*") if path.is_file()] == []


def test_releases_that_nobody_draws_or_may_use_are_a_line_each(settings):
    assert release_checks(settings) == []
    for number in range(7):
        (settings.unfinished_dir / f"v1-{number:03d}").mkdir(parents=True)
    (settings.quarantine_dir / "v0-001").mkdir(parents=True)
    with hold_lock(lock_of(settings.unfinished_dir / "v1-003")):
        unfinished, quarantine = release_checks(settings)
    assert unfinished.value == "nobody draws v1-000, v1-001, v1-002, v1-004, v1-005 and 1 more"
    assert quarantine.value == "not fit to be handed on: v0-001"
    assert unfinished.warns
    assert quarantine.warns


def test_a_home_that_cannot_be_made(settings):
    settings.home.write_text("a file")
    check = home_check(settings)
    assert check.ok is False
    assert "GANFLOW_HOME" in check.remedy
    names = {each.name for each in machine_checks(settings, Probe().facts("/"))}
    assert "home" in names
    assert "MLflow" not in names


def test_a_storage_below_a_file(settings, tmp_path):
    (tmp_path / "file").write_text("")
    check = storage_check(changed(settings, ganflow_storage=str(tmp_path / "file")))
    assert check.ok is False
    assert str(tmp_path / "file") in check.value


def test_a_storage_is_cleared_of_what_was_tried(settings, tmp_path):
    assert storage_check(changed(settings, ganflow_storage=str(tmp_path / "runs"))).ok
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_credential_in_the_storage_is_refused_and_not_shown(settings):
    check = refused_storage(changed(settings, ganflow_storage="s3://key:wordofthekey@bucket/runs"))
    assert check.ok is False
    assert "wordofthekey" not in check.value + check.remedy
    assert refused_storage(changed(settings, ganflow_storage="nosuch://bucket")).ok is False
    assert refused_storage(settings) is None


def test_the_address_of_a_storage_is_shown_bare_in_its_problem_too(settings):
    named = changed(settings, ganflow_storage="s3://bucket/runs?endpoint_override=host")
    check = storage_line(named, "n", "no bucket at s3://bucket/runs?endpoint_override=host", several=True)
    assert check.value == "s3://bucket/runs cannot be used (no bucket at s3://bucket/runs)"


def test_a_database_of_mlflow_is_counted_or_said_to_be_broken(settings):
    settings.home.mkdir()
    path = settings.home / "mlflow.db"
    with sqlite3.connect(path) as database:
        database.execute("create table runs (id text)")
        database.execute("insert into runs values ('a')")
    database.close()
    assert mlflow_check(settings).value.endswith("has 1 runs")
    path.write_bytes(b"no database at all, and longer than a header of one\n" * 20)
    assert mlflow_check(settings).ok is False


def test_an_mlflow_that_does_not_answer(settings):
    check = mlflow_check(changed(settings, mlflow_tracking_uri=NOWHERE))
    assert check.ok is False
    assert "MLFLOW_TRACKING_URI" in check.remedy


def test_a_remote_of_dvc(settings, tmp_path):
    config = settings.home / ".dvc" / "config"
    config.parent.mkdir(parents=True)
    config.write_text("[core]\n    no_scm = True\n")
    assert dvc_check(settings).warns
    remote = f"['remote \"far\"']\n    url = {tmp_path / 'remote'}\n"
    config.write_text(f"[core]\n    no_scm = True\n    remote = far\n{remote}")
    assert dvc_check(settings).value == f"far, {tmp_path / 'remote'}: empty yet"
    (tmp_path / "remote").mkdir()
    assert dvc_check(settings).value == f"far, {tmp_path / 'remote'}: answers"
    config.write_text(f"[core]\n    no_scm = True\n    remote = other\n{remote}")
    assert dvc_check(settings).ok is False


def test_a_remote_of_git_is_shown_without_its_secret(settings):
    settings.home.mkdir()
    assert "in no repository" in git_check(settings).value
    subprocess.run(["git", "init", "-q", settings.home], check=True)
    assert git_check(settings).value == "a repository, without a remote"
    url = "https://user:secretword@git.example/a.git"
    subprocess.run(["git", "-C", settings.home, "remote", "add", "origin", url], check=True)
    assert git_check(settings).value == "a repository, origin, https://git.example/a.git"
