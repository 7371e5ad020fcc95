"""A release on the Hugging Face hub: its files as they lie, in one commit, under a tag of the release's name."""

import importlib.util
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from gan.data.store.dataset import MANIFEST
from gan.errors import GanflowError, InputError, ReleaseError, ServiceError
from gan.text.credentials import HIDDEN, bare_address
from gan.text.shown import reason_of
from tasks.generate.manifest import files_in

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import DatasetInfo

TOKEN = "HF_TOKEN"  # noqa: S105
_PART = r"(?!\S*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY = re.compile(f"{_PART}/{_PART}")
_MOST_FILES = 25_000  # that the hub takes in one commit
_OF_A_REPOSITORY = {".gitattributes", "README.md"}
"""What the hub itself puts into a new repository."""
_OF_A_RELEASE = {MANIFEST, "README.md", "samples.png"}
_BUSY = {408, 409, 412, 425, 429}


class Pushed(BaseModel):
    """Where a release lies on the hub.

    Attributes:
        address: of its files, under its tag.
        commit: that the tag names.
    """

    model_config = ConfigDict(frozen=True)

    address: str
    commit: str


def require_hub(repository: str) -> None:
    """Return if a push may be tried; nothing is asked of the hub.

    Raises:
        InputError: the name can be no repository's, the library is not installed, or it knows no token.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise InputError("a push to the Hugging Face hub needs a library: run `pip install 'ganflow[hub]'`")
    if not _REPOSITORY.fullmatch(repository):
        raise InputError(
            f"«{repository}» is no dataset on the hub: name it as OWNER/NAME, in letters, digits, `-`, `_` and `.`"
        )
    with _told(repository):
        _token()


def push_to_hub(folder: Path, repository: str, *, public: bool = False) -> Pushed:
    """Push a release's files, unchanged, in one commit that replaces the release before, and tag it with its name.

    Which hub that is and by which token says `huggingface_hub` (`HF_ENDPOINT`; `HF_TOKEN` or its login). Done again,
    it goes on where it was cut, and changes nothing where the tag is there already.

    Args:
        folder: of a release that is complete and checked; its name is the tag.
        repository: OWNER/NAME of a dataset, made if it is not there.
        public: whether all may see a repository that is made; one that is there has to be as it says.

    Raises:
        InputError: no token, no right, no such owner, or a repository that holds something else or is seen by others
            than was asked for.
        ReleaseError: the tag is another release's, or there are too many files for the hub.
        ServiceError: the hub does not answer, or somebody else changes the repository.
    """
    names = sorted(files_in(folder))
    if len(names) > _MOST_FILES:
        raise ReleaseError(
            f"release {folder.name} has {len(names):,} files, and the hub takes {_MOST_FILES:,} in a commit: draw it "
            "with --format parquet or webdataset"
        )
    with _told(repository):
        token = _token()
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    with _told(repository, token), _quiet():
        api = HfApi(token=token)
        api.create_repo(repository, repo_type="dataset", private=not public, exist_ok=True)
        there = api.dataset_info(repository)
        _require_seen_by(repository, there, public)
        address = f"{bare_address(api.endpoint)}/datasets/{repository}/tree/{folder.name}"
        if commit := _tagged(api, repository, folder):
            return Pushed(address=address, commit=commit)
        others = _others(repository, there) - {*names, ".gitattributes"}
        done = api.create_commit(
            repository,
            [
                *(CommitOperationAdd(name, folder / name) for name in names),
                *(CommitOperationDelete(name, is_folder=False) for name in sorted(others)),
            ],
            commit_message=f"Release {folder.name}",
            repo_type="dataset",
            parent_commit=there.sha,
        )
        api.create_tag(repository, tag=folder.name, revision=done.oid, repo_type="dataset")
        return Pushed(address=address, commit=done.oid)


def _token() -> str:
    from huggingface_hub import get_token

    if token := get_token():
        return token
    raise InputError(f"a push to the Hugging Face hub needs a token: run `hf auth login`, or set {TOKEN}")


def _require_seen_by(repository: str, there: "DatasetInfo", public: bool) -> None:
    if there.private and public:
        raise InputError(
            f"{repository} is private on the hub, and a push changes nothing about it: leave --public away, or make it "
            "public there"
        )
    if not there.private and not public:
        raise InputError(
            f"all may see {repository} on the hub: push with --public if they may see this release, or name another "
            "repository"
        )


def _tagged(api: "HfApi", repository: str, folder: Path) -> str | None:
    """Return the commit of the release's tag, or None where there is no such tag.

    Raises:
        ReleaseError: the tag is that of other files.
    """
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils.sha import git_hash, sha_fileobj

    refs = api.list_repo_refs(repository, repo_type="dataset")
    commit = next((each.target_commit for each in refs.tags if each.name == folder.name), None)
    if commit is None:
        return None
    # the manifest names the sha256 of every other file
    found = api.get_paths_info(repository, [MANIFEST], revision=commit, repo_type="dataset")
    theirs = found[0] if found and isinstance(found[0], RepoFile) else None
    with (folder / MANIFEST).open("rb") as file:
        if theirs and theirs.lfs:
            same = theirs.lfs.sha256 == sha_fileobj(file).hex()
        else:
            same = theirs is not None and theirs.blob_id == git_hash(file.read())
    if not same:
        raise ReleaseError(
            f"{repository} has a release {folder.name} of other files on the hub: name another repository, or draw "
            "under another --name"
        )
    return commit


def _others(repository: str, there: "DatasetInfo") -> set[str]:
    """Return the files of the repository, which is a new one or holds a release.

    Raises:
        InputError: it holds something else, which the commit would replace.
    """
    files = {each.rfilename for each in there.siblings or ()}
    if files <= _OF_A_REPOSITORY or files >= _OF_A_RELEASE:
        return files
    raise InputError(
        f"{repository} on the hub holds files that are no release ({min(files - _OF_A_REPOSITORY)}, say), and a push "
        "would replace them: name another repository, or one that is not there yet"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's progress bars and warnings off the terminal."""
    library: Any = importlib.import_module("huggingface_hub.utils")
    shown, level = not library.are_progress_bars_disabled(), library.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.disable_progress_bars()
        library.logging.set_verbosity_error()
        try:
            yield
        finally:
            library.logging.set_verbosity(level)
            if shown:
                library.enable_progress_bars()


@contextmanager
def _told(repository: str, token: str = "") -> Iterator[None]:
    """Raise what the library, its transport or the hub say as a sentence, in which no token stands."""
    try:
        yield
    except GanflowError:
        raise
    except Exception as error:  # the library, the network and its storage have errors of their own
        raise _explained(repository, token, error) from None


def _explained(repository: str, token: str, error: Exception) -> GanflowError:
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    cause = error
    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):
        cause = error.__cause__  # of a thread that uploads
    hub, status = bare_address(constants.ENDPOINT), None
    if isinstance(cause, HfHubHTTPError):
        status, said = cause.response.status_code, reason_of(cause.server_message or f"status {status}")
    else:
        said = f"{type(cause).__name__}: {reason_of(cause)}"
    said = said.replace(token, HIDDEN) if token else said
    if status == 401:
        return InputError(f"{hub} does not take the token ({said}): run `hf auth login`, or set {TOKEN} anew")
    if status == 403:
        return InputError(f"the token may not write to {repository} at {hub} ({said}): take one that may")
    if status == 404:
        return InputError(f"{hub} has no {repository} that the token may write to ({said}): correct owner and token")
    if isinstance(cause, OfflineModeIsEnabled):
        return InputError(f"HF_HUB_OFFLINE is set, so nothing is pushed to {repository}: unset it")
    if isinstance(cause, ValueError) or (status is not None and status < 500 and status not in _BUSY):
        return GanflowError(f"{hub} does not take the release for {repository} ({said})")
    return ServiceError(f"{hub} does not answer as it should ({said}): try again later")
