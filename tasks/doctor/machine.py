"""What is looked at without any cluster: this machine, its home, and the services that commands here talk to."""

import contextlib
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from gan.errors import GanflowError, InputError
from gan.text.credentials import bare_address
from gan.text.shown import reason_of
from tasks.doctor import judge
from tasks.doctor.check import HERE, Check, from_error
from tasks.doctor.probe import Probe
from tasks.releases.unpublished import is_drawn, quarantined, unfinished
from tasks.runtime.failures import explained
from tasks.runtime.settings import Settings, require_room, require_writable_home
from tasks.runtime.storage import open_storage

GIT_SECONDS = 10
SHOWN = 5  # names of releases


def machine_checks(settings: Settings, facts: dict[str, Any]) -> list[Check]:
    """Look at this machine.

    Args:
        settings: of the place.
        facts: `Probe.facts` of it.
    """
    home = home_check(settings)
    found = [judge.versions(HERE, facts, facts), judge.processor(HERE, facts), judge.gpus(HERE, facts)]
    found += [judge.memory(HERE, facts), *judge.disks(HERE, facts), home]
    if home.ok:
        found += [storage_check(settings), mlflow_check(settings), dvc_check(settings), *release_checks(settings)]
    return [*found, git_check(settings)]


def home_check(settings: Settings) -> Check:
    """Whether the home can be written and has room for a little more."""
    try:
        require_writable_home(settings)
        require_room(settings)
    except GanflowError as error:
        return from_error("home", HERE, error)
    return Check("home", HERE, True, f"{settings.home} is written")


def storage_check(settings: Settings) -> Check:
    """Whether this machine reads and writes where checkpoints go."""
    if refused := refused_storage(settings):
        return refused
    with trial_folder(settings) as folder:
        use = partial(Probe().use_storage, settings.storage, folder)
        problem = use({}, HERE, folder) or use({HERE: folder}, "again", "")
    return storage_line(settings, HERE, problem, several=False)


@contextlib.contextmanager
def trial_folder(settings: Settings) -> Iterator[str]:
    """Name a new folder of the storage, and remove it afterwards, if it was made."""
    folder = f"doctor-{secrets.token_hex(8)}"
    try:
        yield folder
    finally:
        with contextlib.suppress(Exception):  # what keeps it from being removed has been said by then
            Probe().drop_storage(settings.storage, folder)


def storage_line(settings: Settings, node: str, problem: str | None, *, several: bool) -> Check:
    """`judge.storage` of these settings, without secrets and the name of the folder that was tried."""
    place = bare_address(settings.storage)
    shown = None if problem is None else reason_of(problem.replace(settings.storage, place))
    return judge.storage(node, shown, place, named=settings.ganflow_storage is not None, several=several)


def refused_storage(settings: Settings) -> Check | None:
    """The check of an address that cannot be one, or carries a credential; None: it may be used."""
    try:
        open_storage(settings.storage)
    except InputError as error:
        return from_error("storage", HERE, error)
    return None


def mlflow_check(settings: Settings) -> Check:
    """Whether MLflow answers, or its database can be opened."""
    from tasks.tracking.client import SQLITE, client

    path = Path(settings.tracking_uri.removeprefix(SQLITE))
    if settings.tracking_uri.startswith(SQLITE):
        if not path.exists():
            return Check("MLflow", HERE, True, f"{settings.tracking_place} is made by the first command")
        return _sqlite_check(settings, path)
    try:
        client(settings)
    except GanflowError as error:
        return from_error("MLflow", HERE, error)
    return Check("MLflow", HERE, True, f"{settings.tracking_place} answers")


def _sqlite_check(settings: Settings, path: Path) -> Check:
    """Look into the database without MLflow, which would bring an old one up to date."""
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            (runs,) = database.execute("SELECT count(*) FROM runs").fetchone()
    except sqlite3.Error as error:
        remedy = "restore it from a copy, or move it away and begin a new one"
        return Check("MLflow", HERE, False, f"{settings.tracking_place} cannot be read ({reason_of(error)})", remedy)
    return Check("MLflow", HERE, True, f"{settings.tracking_place} has {runs} runs")


def dvc_check(settings: Settings) -> Check:
    """Whether the default remote of the dataset's versions answers."""
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    try:
        root = Repo.find_root(str(settings.home))
    except NotDvcRepoError:
        return Check("DVC remote", HERE, True, "none yet: the first ingest makes one in the home")
    try:
        with Repo(root) as repo:
            name = repo.config["core"].get("remote")
            if not name:
                remedy = "name one: `dvc remote add --default NAME URL`"
                return Check("DVC remote", HERE, True, "none: versions are on this machine alone", remedy)
            shown = f"{name}, {bare_address(str(repo.config['remote'][name].get('url', '')))}"
            remote = repo.cloud.get_remote(name)
            try:
                remote.fs.info(remote.path)
            except FileNotFoundError as error:  # which is also what becomes of a connection that fails
                if explained(error) is not None:
                    raise
                return Check("DVC remote", HERE, True, f"{shown}: empty yet")
    except Exception as error:  # each sort of remote has errors of its own
        kind = "is not configured" if isinstance(error, DvcException | LookupError) else "does not answer"
        remedy = "correct it with `dvc remote modify`, or try again when it can be reached"
        return Check("DVC remote", HERE, False, f"the default remote {kind} ({reason_of(error)})", remedy)
    return Check("DVC remote", HERE, True, f"{shown}: answers")


def release_checks(settings: Settings) -> list[Check]:
    """What lies in the home of releases that nobody draws on or may use; nothing where there is none."""
    prune = "`ganflow prune --what releases` shows sizes, and removes them when they are old"
    abandoned = [folder.name for folder in unfinished(settings) if not is_drawn(folder)]
    refused = [folder.name for folder in quarantined(settings)]
    found = []
    if abandoned:
        remedy = f"`ganflow generate --name NAME` goes on with one; {prune}"
        found.append(Check("unfinished releases", HERE, True, f"nobody draws {_some(abandoned)}", remedy))
    if refused:
        remedy = f"`ganflow releases` says why; {prune}"
        found.append(Check("quarantine", HERE, True, f"not fit to be handed on: {_some(refused)}", remedy))
    return found


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def git_check(settings: Settings) -> Check:
    """Whether git keeps `data.dvc`; no training needs it."""
    if shutil.which("git") is None:
        return Check("git", HERE, None, "not installed: versions of data.dvc are in MLflow alone")
    try:
        command = ["git", "-C", str(settings.home), "remote", "-v"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return Check("git", HERE, None, f"did not answer ({reason_of(error)})")
    if done.returncode:
        return Check("git", HERE, True, "the home is in no repository: versions of data.dvc are in MLflow alone")
    remotes = dict.fromkeys(
        f"{name}, {bare_address(url)}" for name, url, *_ in map(str.split, done.stdout.splitlines())
    )
    return Check("git", HERE, True, f"a repository, {'; '.join(remotes) if remotes else 'without a remote'}")
