"""A release held against what it says: files, manifest, signature, every image's mark, and a sample drawn again."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from gan.data.store.dataset import MANIFEST
from gan.errors import InputError
from tasks.runtime.settings import Settings
from tasks.verify.files import read_stated, verify_files, verify_signature
from tasks.verify.images import ImagesLooked, verify_images
from tasks.verify.record import Findings, Stated, Verified
from tasks.verify.regenerate import CannotRegenerateError, Regenerated, regenerate, registered_program
from tasks.verify.state import release_state

SAMPLE = 64


def find_release(settings: Settings, named: str) -> Path:
    """Return the folder of a release, given as such or by the name of one of this home.

    Raises:
        InputError: there is none.
    """
    for folder in (Path(named), settings.synthetic_dir / named, settings.quarantine_dir / named):
        if (folder / MANIFEST).is_file():
            return folder.absolute()
    if (pointer := settings.synthetic_dir / f"{named}.dvc").is_file():
        raise InputError(f"release {named} is not in {settings.synthetic_dir}: get it with `dvc pull {pointer}`")
    raise InputError(
        f"«{named}» is neither a folder with a {MANIFEST} nor a release in {settings.synthetic_dir}: name one of these"
    )


def verify(
    settings: Settings,
    folder: Path,
    *,
    trusted: str | None = None,
    sample: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verified:
    """Verify a release; it is only read.

    Args:
        settings: where the registry is.
        folder: of the release.
        trusted: the fingerprint that the signing key should have; None: nobody said.
        sample: images to draw again, 0 for none; None: 64 where the registry has the version, and it is no fault where
            it has not.
        on_progress: called with the images done and all that there should be.
    """
    findings = Findings()
    content = (folder / MANIFEST).read_bytes()
    try:
        stated = read_stated(content)
    except ValueError as error:
        findings.wrong("manifest", f"{MANIFEST} is none of a release ({error})")
        signed_by = verify_signature(folder, content, None, trusted, findings)
        return _verified(folder, None, findings, signed_by=signed_by)
    signed_by = verify_signature(folder, content, stated.signed_by, trusted, findings)
    compared, changed, md5 = verify_files(folder, content, stated, findings)
    looked = verify_images(
        folder,
        stated,
        changed,
        findings,
        seed=int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 1,
        sample=SAMPLE if sample is None else sample,
        on_progress=lambda done: on_progress(done, stated.generation.num_images),
    )
    again = _drawn_again(settings, stated, looked, findings, asked=sample)
    state, reason = release_state(settings, stated, md5, findings)
    return _verified(
        folder,
        stated,
        findings,
        signed_by=signed_by,
        key_compared=signed_by is not None and trusted is not None,
        files=compared,
        images=looked.images,
        marked=looked.marked,
        regenerated=again.drawn,
        equal=again.equal,
        near=again.near,
        state=state,
        reason=reason,
    )


def _drawn_again(
    settings: Settings, stated: Stated, looked: ImagesLooked, findings: Findings, *, asked: int | None
) -> Regenerated:
    nothing = Regenerated(0, 0, 0)
    if asked == 0:
        findings.note("nothing was drawn again: --regenerate is 0")
        return nothing
    if not looked.sample:
        return nothing
    try:
        model, program = registered_program(settings, stated)
    except CannotRegenerateError as error:
        if asked is None:
            findings.note(f"nothing was drawn again: {error}")
        else:
            findings.wrong("not checked", f"--regenerate {asked} was asked for, but nothing was drawn again: {error}")
        return nothing
    return regenerate(model, program, stated, looked.sample, findings)


def _verified(folder: Path, stated: Stated | None, findings: Findings, **found: object) -> Verified:
    facts = {"model": stated.model.name, "version": stated.model.version} if stated else {}
    return Verified.model_validate(
        {
            "name": stated.name if stated else folder.name,
            "path": str(folder),
            "problems": tuple(findings.problems),
            "notes": tuple(findings.notes),
            **facts,
            **found,
        }
    )
