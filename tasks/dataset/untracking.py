"""A release that DVC does not track any more: folder and pointer go, its bytes stay in DVC's cache and remote."""

import contextlib
from pathlib import Path

from tasks.dataset.session import git_unignore, locked, open_repo
from tasks.runtime.scratch import scratch_beside
from tasks.runtime.settings import Settings


def untrack_release(settings: Settings, folder: Path) -> None:
    """Remove a release's folder and the pointer beside it; what is gone already is as it should be.

    The folder goes by renaming, so nobody finds half of one; then the pointer, by which the next call finds a folder
    that a kill has left without the other.

    Raises:
        GanflowError: DVC refuses, or another program has its lock.
    """
    pointer = folder.with_name(f"{folder.name}.dvc")
    with locked(settings), contextlib.ExitStack() as stack:
        if tracked := pointer.exists():
            repo = stack.enter_context(open_repo(settings.home))
            stack.enter_context(repo.lock)  # whoever pushes by `dvc` itself reads pointer and folder
        aside = stack.enter_context(scratch_beside(folder.parent, "removed"))
        if folder.exists():
            folder.rename(aside / folder.name)
        if tracked:
            git_unignore(settings.home, folder)
            pointer.unlink()
