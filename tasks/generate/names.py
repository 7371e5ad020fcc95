"""What a release is called, where its seeds start, and where it lies while it is not fit to be handed on."""

import hashlib
from pathlib import Path

from gan.errors import ReleaseError
from tasks.generate.partial import is_unfinished
from tasks.runtime.settings import Settings


def first_seed(model: str, version: int, name: str) -> int:
    """Where a release's seeds start: a number in [0, 2**62) derived from model, version and release name."""
    digest = hashlib.sha256(f"{model}/{version}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


def next_name(settings: Settings, version: int) -> str:
    """The first of `v<version>-001`, `-002`, … that is neither tracked and recorded nor in quarantine."""
    number = 1
    while _is_taken(settings, name := f"v{version}-{number:03d}"):
        number += 1
    return name


def _is_taken(settings: Settings, name: str) -> bool:
    there = (settings.synthetic_dir / f"{name}.dvc").exists() or is_quarantined(settings, name)
    return there and not is_unfinished(settings, name)


def quarantine(settings: Settings) -> Path:
    """Where releases lie that are not fit to be handed on."""
    return settings.state_dir / "quarantine"


def fingerprints_of(settings: Settings, name: str) -> Path:
    """The file of a release's fingerprints, with which later ones are compared; its folder holds no other files."""
    return settings.state_dir / "fingerprints" / f"{name}.npz"


def is_quarantined(settings: Settings, name: str) -> bool:
    """Whether a release of that name was refused."""
    return (quarantine(settings) / name).exists()


def require_name(name: str) -> None:
    """Refuse a name that can be no folder's.

    Raises:
        ReleaseError: it is one.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise ReleaseError(f"a release cannot be called «{name}»: give --name a plain folder name")


def require_free(settings: Settings, name: str) -> None:
    """Refuse a name that a release in quarantine has.

    Raises:
        ReleaseError: it is one.
    """
    if is_quarantined(settings, name):
        raise ReleaseError(f"release {name} lies in quarantine ({quarantine(settings) / name}): give another --name")
