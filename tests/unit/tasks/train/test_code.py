"""Which code trains: digest and revision of a real working copy."""

import subprocess

import pytest

from tasks.doctor.probe import code_digest
from tasks.train import code
from tasks.train.code import code_tags, git_revision


@pytest.fixture
def copy(tmp_path):
    def git(*arguments):
        who = ("-c", "user.name=n", "-c", "user.email=e")
        return subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True, text=True)

    git("init", "-q")
    (tmp_path / "a.py").write_text("1")
    git("add", "a.py")
    git("commit", "-qm", "first")
    return tmp_path, git("rev-parse", "HEAD").stdout.strip()


def test_the_revision_of_a_working_copy_and_whether_it_was_changed(copy):
    root, commit = copy
    assert git_revision(root) == commit
    (root / "beside.py").write_text("2")
    assert git_revision(root) == commit
    (root / "a.py").write_text("2")
    assert git_revision(root) == f"{commit}, changed"


def test_a_repository_further_up_is_another_projects(copy):
    root, _ = copy
    (root / "site-packages").mkdir()
    assert git_revision(root / "site-packages") is None


def test_no_program_that_the_repository_names_is_run(copy):
    root, commit = copy
    subprocess.run(["git", "-C", root, "config", "core.fsmonitor", f"touch {root}/ran"], check=True)
    (root / "a.py").write_text("3")
    assert git_revision(root) == f"{commit}, changed"
    assert not (root / "ran").exists()


@pytest.mark.parametrize("broken", ["no git", "no commit"])
def test_where_git_does_not_say_there_is_no_revision(tmp_path, monkeypatch, broken):
    if broken == "no git":
        (tmp_path / ".git").mkdir()
        monkeypatch.setenv("PATH", "")
    else:
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert git_revision(tmp_path) is None


def test_a_run_says_version_digest_and_revision(monkeypatch):
    monkeypatch.setattr(code, "git_revision", lambda root: "abc" if (root / "gan").is_dir() else "elsewhere")
    found = code_tags()
    assert found["code"].startswith("ganflow ")
    assert found["code"].endswith(f", {code_digest()}")
    assert found["git_revision"] == "abc"
    monkeypatch.setattr(code, "git_revision", lambda root: None)
    assert set(code_tags()) == {"code"}
