"""One silent, locked session with DVC; `tasks.dataset.repository` says what is done in it."""

import contextlib
import hashlib
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gan.errors import DatasetError, GanflowError, ServiceError
from gan.text.shown import reason_of
from tasks.runtime.failures import explained
from tasks.runtime.locks import hold_lock
from tasks.runtime.settings import Settings

if TYPE_CHECKING:
    from dvc.repo import Repo

_MD5 = re.compile(r"([0-9a-f]{32})(\.dir)?")


def tracked_md5(dvc_file: Path) -> str | None:
    """Return the hash in a `.dvc` file, without `.dir`, or None where there is no such file.

    Raises:
        DatasetError: the file is malformed.
    """
    try:
        text = dvc_file.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{dvc_file} cannot be read ({error}): restore it from git or ingest again") from None
    try:
        match = _MD5.fullmatch(yaml.safe_load(text)["outs"][0]["md5"])
    except (yaml.YAMLError, LookupError, TypeError, ValueError, RecursionError):  # ValueError: a date that is none
        match = None
    if match is None:
        raise DatasetError(f"{dvc_file} is malformed: restore it from git, or remove it and data/ and ingest again")
    return match[1]


def restore(repo: "Repo", pointer: Path, md5: str) -> None:
    """Check `data/` against its pointer and, where it differs, take the version from the cache or the remote.

    Raises:
        DatasetError: the version is neither in the cache nor to be had from the remote.
    """
    if not repo.status(targets=[str(pointer)]):
        return
    # Fetched first: a checkout that lacks files removes what is there.
    fetch(repo, pointer, md5)
    repo.checkout(targets=[str(pointer)], force=True)


def fetch(repo: "Repo", pointer: Path, md5: str) -> None:
    """See that the cache has all of what a pointer names, from the default remote if need be.

    Raises:
        DatasetError: the version is neither in the cache nor to be had from the remote.
        ServiceError: it is not in the cache, and the remote cannot be reached.
    """
    try:
        if not _in_cache(repo, pointer):
            repo.fetch(targets=[str(pointer)])
            if not _in_cache(repo, pointer):
                _ask_remote(repo, pointer)
    except Exception as error:
        told = explained(error, repo.root_dir)
        if isinstance(told, ServiceError):
            raise ServiceError(
                f"dataset {md5} is not in the cache of {repo.root_dir} and the remote cannot be reached "
                f"({reason_of(error)}): try again when it can"
            ) from error
        if told is not None:
            raise told from error
        raise DatasetError(
            f"dataset {md5} is neither in the cache of {repo.root_dir} nor to be had from the remote "
            f"({reason_of(error)}): run `ganflow ingest` with its source, or try again when the remote can be reached"
        ) from None


def _ask_remote(repo: "Repo", pointer: Path) -> None:
    """Raise what keeps the remote from giving a version.

    DVC does not always say that it fetched nothing: it takes a server that does not answer for one that has nothing,
    and an index of its own may remember the version.
    """
    (out,) = repo.stage.load_one(str(pointer)).outs
    remote = repo.cloud.get_remote_odb()
    try:
        remote.fs.info(remote.oid_to_path(out.hash_info.value))
    except FileNotFoundError as error:  # which is also what becomes of a connection that fails
        if explained(error) is not None:
            raise error.__cause__ or error from None
    raise LookupError("the remote does not have it")


def cached_files(repo: "Repo", pointer: Path) -> dict[str, Path]:
    """The files of a fetched version by name, as they lie in the cache under their md5; only to be read."""
    (out,) = repo.stage.load_one(str(pointer)).outs
    tree: Any = out.get_obj()
    return {"/".join(key): Path(out.cache.oid_to_path(entry.value)) for key, _, entry in tree}


def require_whole(repo: "Repo", pointer: Path, md5: str) -> None:
    """Check each restored file against its md5; DVC takes what lies in its cache on trust.

    Raises:
        DatasetError: a file is broken in the cache, and so in the folder.
    """
    (out,) = repo.stage.load_one(str(pointer)).outs
    for name, cached in cached_files(repo, pointer).items():
        with (Path(out.fs_path) / name).open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if digest != cached.parent.name + cached.name:
            raise broken_object(md5, name, cached, "its md5 is another")


def broken_object(md5: str, name: str, cached: Path, why: object) -> DatasetError:
    """The error for a file of a version that is not what it should be in the cache."""
    return DatasetError(
        f"{name} of dataset {md5} is broken in the cache ({reason_of(why)}): remove {cached} and try again, so that it "
        "is taken from the remote"
    )


def _in_cache(repo: "Repo", pointer: Path) -> bool:
    (out,) = repo.stage.load_one(str(pointer)).outs
    tree: Any = out.get_obj()
    return tree is not None and all(out.cache.exists(entry.value) for _, _, entry in tree)


def push(repo: "Repo", pointer: Path) -> tuple[bool, str | None]:
    """Push what a pointer names to the default remote, if there is one.

    Returns:
        Whether the remote has it, and one sentence where it failed.
    """
    remote = repo.config["core"].get("remote")
    if not remote:
        return False, None
    try:
        repo.push(targets=[str(pointer)])
    except Exception as error:  # each sort of remote has errors of its own
        return False, (
            f"{pointer.stem} is versioned here but could not be pushed to the remote «{remote}» ({reason_of(error)}): "
            "run `dvc push` when it can be reached"
        )
    return True, None


def git_ignore(home: Path, path: Path) -> None:
    """Keep a tracked folder out of git where DVC works with git; what is ignored already changes no file."""
    with _git(home) as git:
        if git:
            git.ignore(str(path))


def git_unignore(home: Path, path: Path) -> None:
    """Let git see a path again that was `git_ignore`d."""
    with _git(home) as git:
        if git:
            git.ignore_remove(str(path))


@contextlib.contextmanager
def _git(home: Path) -> Iterator[Any]:
    """What DVC has of the git repository that `home` lies in; None where it works without."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import NoSCM, SCMError

    with contextlib.suppress(SCMError, NotDvcRepoError), Repo(str(home)) as repo:
        yield None if isinstance(repo.scm, NoSCM) else repo.scm


@contextlib.contextmanager
def open_repo(home: Path) -> Iterator["Repo"]:
    """Open the repository that `home` lies in, with its output silenced and its errors as sentences.

    Raises:
        GanflowError: DVC refuses.
        ResourcesError: the disk has no room.
        ServiceError: another program holds DVC's own lock, or a remote cannot be reached.
    """
    from dvc.exceptions import DvcException
    from dvc.logger import set_loggers_level
    from dvc.repo import Repo

    try:
        with (
            set_loggers_level(logging.CRITICAL),  # which also turns its progress bars off
            contextlib.redirect_stdout(io.StringIO()),
            # Without git: the staging folder is ignored there, and DVC refuses to add what git ignores.
            Repo(str(home), config={"core": {"no_scm": True}}) as repo,
        ):
            yield repo
    except (DvcException, OSError) as error:
        told = explained(error, home)
        if told is not None:
            raise told from None
        raise GanflowError(f"DVC refused in {home} ({reason_of(error)}): see `dvc status` there") from None


@contextlib.contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Wait until no other ganflow process uses DVC in this home, and hold it; a holder may ask again."""
    with hold_lock(settings.state_dir / "dvc.lock", again=True):
        yield
