"""What a release is called, and where its seeds start."""

import hashlib
import itertools
from collections.abc import Collection
from pathlib import Path

from gan.errors import ReleaseError
from tasks.generate.partial import is_unfinished
from tasks.releases.removing import is_plain
from tasks.releases.states import removed_names
from tasks.runtime.settings import Settings


def first_seed(model: str, version: int, name: str) -> int:
    """Where a release's seeds start: a number in [0, 2**62) derived from model, version and release name."""
    digest = hashlib.sha256(f"{model}/{version}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


def choose_name(settings: Settings, version: int, asked: str | None) -> str:
    """Return the name of a release that is to be drawn.

    Raises:
        ReleaseError: the name that is asked for is that of a release which was removed: its images would come again.
    """
    gone = removed_names(settings)
    if asked is None:
        return next_name(settings, version, gone)
    if asked in gone and not (settings.synthetic_dir / asked).exists():
        raise ReleaseError(f"there was a release {asked}, which was removed ({gone[asked]}): give another --name")
    return asked


def next_name(settings: Settings, version: int, gone: Collection[str] = ()) -> str:
    """The first of `v<version>-001`, `-002`, … that no release has or had; one that is not recorded is none.

    Args:
        settings: where releases are.
        version: that draws it.
        gone: names of releases that were removed.
    """
    for number in itertools.count(1):
        name = f"v{version}-{number:03d}"
        if not (name in gone or _is_taken(settings, name)):
            return name
    raise AssertionError("numbers do not end")


def _is_taken(settings: Settings, name: str) -> bool:
    there = (settings.synthetic_dir / f"{name}.dvc").exists() or is_quarantined(settings, name)
    return there and not is_unfinished(settings, name)


def fingerprints_of(settings: Settings, name: str) -> Path:
    """The file of a release's fingerprints, with which later ones are compared; its folder holds no other files."""
    return settings.state_dir / "fingerprints" / f"{name}.npz"


def is_quarantined(settings: Settings, name: str) -> bool:
    """Whether a release of that name was refused."""
    return (settings.quarantine_dir / name).exists()


def require_name(name: str) -> None:
    """Refuse a name that can be no folder's.

    Raises:
        ReleaseError: it is one.
    """
    if not is_plain(name):
        raise ReleaseError(f"a release cannot be called «{name}»: give --name a plain folder name")


def require_free(settings: Settings, name: str) -> None:
    """Refuse a name that a release in quarantine has.

    Raises:
        ReleaseError: it is one.
    """
    if is_quarantined(settings, name):
        raise ReleaseError(f"release {name} lies in quarantine ({settings.quarantine_dir / name}): give another --name")
