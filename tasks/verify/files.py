"""The files of a release held against its manifest, and the manifest against its signature and DVC's pointer."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from gan.data.store.dataset import MANIFEST
from gan.errors import DatasetError
from tasks.dataset.in_storage import md5_of, written_list
from tasks.dataset.session import tracked_md5
from tasks.generate.signature import SIGNATURE, read_signature
from tasks.verify.record import MOST_PIXELS, Findings, Stated, some

_BLOCK_BYTES = 2**20


def read_stated(content: bytes) -> Stated:
    """Read what a verification needs of a manifest.

    Raises:
        ValueError: it is malformed; the message says where.
    """
    try:
        stated = Stated.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from None
    outside = [name for name in stated.files if not _is_inside(name)]
    if outside:
        raise ValueError(f"it names {outside[0]}, which is no file of the release")
    if stated.image.height * stated.image.width > MOST_PIXELS:
        raise ValueError("its images are larger than any that ganflow draws")
    return stated


def verify_files(folder: Path, content: bytes, stated: Stated, findings: Findings) -> tuple[int, set[str], str | None]:
    """Compare each file with its sha256, and look for missing and further ones.

    Args:
        folder: of the release.
        content: of its manifest.
        stated: what that says.
        findings: where to say what is wrong.

    Returns:
        How many files were compared, those that are not as the manifest says, and DVC's md5 of all that is there, None
        where some of it cannot be read.
    """
    there = set(_files_below(folder))
    missing = sorted(stated.files.keys() - there)
    extra = sorted(there - stated.files.keys() - {MANIFEST, SIGNATURE})
    compared, changed, unreadable, md5s = 0, [], set(), {MANIFEST: md5_of(content)}
    for name in sorted(there & (stated.files.keys() | {SIGNATURE})):
        if not (folder / name).is_file():
            findings.wrong("file", f"{name} is no file")
            unreadable.add(name)
            continue
        try:
            sha256, md5s[name] = _digests(folder / name)
        except OSError as error:
            findings.wrong("file", f"{name} cannot be read ({os.strerror(error.errno or 0)})")
            unreadable.add(name)
            continue
        compared += name != SIGNATURE
        if name != SIGNATURE and sha256 != stated.files[name]:
            changed.append(name)
    if changed:
        findings.wrong("file", f"changed since the release was made, by their sha256: {some(changed)}")
    if missing:
        findings.wrong("missing", f"missing, although {MANIFEST} names them: {some(missing)}")
    if extra:
        findings.wrong("extra", f"no part of the release, for {MANIFEST} does not name them: {some(extra)}")
    md5 = None if extra or unreadable else md5_of(written_list(md5s))
    if md5 and not (changed or missing):
        _compare_with_pointer(folder, md5, findings)
    return compared, {*changed, *missing, *unreadable}, md5


def verify_signature(
    folder: Path, content: bytes, signed_by: str | None, trusted: str | None, findings: Findings
) -> str | None:
    """Hold a manifest against the signature beside it.

    Args:
        folder: of the release.
        content: of its manifest.
        signed_by: the fingerprint that the manifest names.
        trusted: the fingerprint that the signing key should have; None: nobody said.
        findings: where to say what is wrong.

    Returns:
        The fingerprint of the key whose signature holds.
    """
    try:
        signature = read_signature(folder)
    except ValueError as error:
        findings.wrong("signature", f"{SIGNATURE} is no signature ({error})")
        return None
    if signature is None:
        if signed_by:
            findings.wrong("signature", f"{MANIFEST} says that {signed_by} signed it, but {SIGNATURE} is missing")
        elif trusted:
            findings.wrong("signature", f"the release is not signed, so nothing says that it is of {trusted}")
        else:
            findings.note("it is not signed: a change of files and manifest together would not show")
        return None
    if trusted and signature.fingerprint != trusted:
        findings.wrong("key", f"signed by another key: {signature.fingerprint}, and not {trusted}")
    if not signature.holds_for(content):
        findings.wrong("manifest", f"{MANIFEST} is not what {signature.fingerprint} signed: it was changed since then")
        return None
    if signed_by and signed_by != signature.fingerprint:
        findings.wrong("key", f"signed by {signature.fingerprint}, but {MANIFEST} says by {signed_by}")
    if not trusted:
        findings.note("whose key signed it was not looked at: give --key with the public key that you trust")
    return signature.fingerprint


def _compare_with_pointer(folder: Path, md5: str, findings: Findings) -> None:
    """Where DVC tracks the release beside its folder, its pointer tells of a changed manifest, too."""
    pointer = folder.with_name(f"{folder.name}.dvc")
    try:
        wanted = tracked_md5(pointer)
    except DatasetError:
        findings.note(f"{pointer.name} is malformed, so the version that DVC tracks was not compared")
        return
    if wanted and md5 != wanted:
        findings.wrong(
            "manifest", f"{MANIFEST} or {SIGNATURE} is not of the version that {pointer.name} names: it was changed"
        )


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    plain = str(path) == name and not path.is_absolute() and ".." not in path.parts and "\0" not in name
    return plain and name not in {"", ".", MANIFEST, SIGNATURE}


def _files_below(folder: Path) -> Iterator[str]:
    """Paths of all that lies in a folder and is no folder of its own."""
    for place, folders, names in os.walk(folder):
        for name in [*names, *(each for each in folders if (Path(place) / each).is_symlink())]:
            yield (Path(place) / name).relative_to(folder).as_posix()


def _digests(path: Path) -> tuple[str, str]:
    """sha256 and md5 of a file, in one pass."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            sha256.update(block)
            md5.update(block)
    return sha256.hexdigest(), md5.hexdigest()
