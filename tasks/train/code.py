"""Which code of ganflow trains: its version and digest, and the git revision of a working copy."""

import importlib.util
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tasks.doctor.probe import code_digest

CODE, GIT_REVISION = "code", "git_revision"
RESUMED_CODE = "resumed_code"  # of the last process that went on with a run, which may be another than it began with
_SECONDS = 20.0  # that git has; a repository on a disk that does not answer shall not hold a training up


def code_tags() -> dict[str, str]:
    """What a training run says of its code.

    The digest is of the sources of `gan` and `tasks`, so it tells two states of a working copy apart where version
    and revision are the same.
    """
    try:
        installed = version("ganflow")
    except PackageNotFoundError:
        installed = "not installed"
    revision = git_revision(_root())
    return {CODE: f"ganflow {installed}, {code_digest()}"} | ({GIT_REVISION: revision} if revision else {})


def git_revision(root: Path) -> str | None:
    """The commit that is checked out in a working copy, and whether files of it were changed; None: it is none."""
    if not (root / ".git").exists():  # else git would look further up, into a repository that is another project's
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}, changed" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    # No program that the repository's own settings name is run.
    command = ["git", "-C", str(root), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    return done.stdout.strip()


def _root() -> Path:
    found = importlib.util.find_spec("gan")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]).parent
