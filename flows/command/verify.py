"""`ganflow verify`: whether a release is as it was made, and by whom."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.console import Answer, read_settings
from flows.command.options import Json

if TYPE_CHECKING:
    from tasks.verify.record import Verified


def verify(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="Name of a release, or a folder that holds one.")],
    key: Annotated[
        str | None,
        typer.Option(help="Public key that should have signed it: a PEM file, or its fingerprint, sha256:…"),
    ] = None,
    regenerate: Annotated[
        int | None,
        typer.Option(
            "--regenerate",
            min=0,
            max=100_000,
            help="Images to draw again; 64 without it, if the registry has the version.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a release: its files, its signature, the mark of every image, and images drawn again.

    Tells apart changed pixels, stripped marks, a changed manifest, another
    key, missing and further files, and images that the generator does not
    make of their seed and label. It needs neither the registry nor this
    home: without them nothing is drawn again, and it says so. The release
    is only read. Exit status 1 where something is wrong, and where the
    release was recalled or lies in quarantine.
    """
    answer = Answer()
    settings = read_settings()
    from tasks.generate.signature import trusted_fingerprint
    from tasks.runtime.settings import THREADS_WAIT

    trusted = None if key is None else trusted_fingerprint(key)
    os.environ.update(THREADS_WAIT)
    from tasks.runtime.locks import reading
    from tasks.runtime.progress import progress
    from tasks.verify.verify import find_release
    from tasks.verify.verify import verify as verify_release

    folder = find_release(settings, release)
    with reading(folder), progress("verifying", 0) as update:
        found = verify_release(
            settings,
            folder,
            trusted=trusted,
            sample=regenerate,
            on_progress=lambda done, total: update(done, total=total),
        )
    answer.give(found, verified_lines(found), as_json)
    if not found.sound:
        raise typer.Exit(1)


def verified_lines(found: "Verified") -> list[str]:
    """What was looked at, what was not, and what is wrong."""
    made = f", of {found.model} version {found.version}" if found.model else ""
    trust = ", the key that you trust" if found.key_compared else ""
    signature = f"by {found.signed_by}{trust}" if found.signed_by else "none that holds"
    again = f"{found.equal} equal bit by bit, {found.near} within one grey level"
    return [
        f"release    {found.name} in {found.path}{made}",
        f"files      {found.files} compared with their sha256",
        f"marks      {found.marked} of {found.images} images say that they are synthetic",
        f"signature  {signature}",
        f"again      {found.regenerated} images drawn: {again}" if found.regenerated else "again      no image drawn",
        f"state      {found.state or 'not known'}",
        *(f"note       {each}" for each in found.notes),
        *(f"wrong      {each.sentence}" for each in found.problems),
        f"verdict    {'as it was made' if found.as_made else 'not as it was made'}{_unfit(found)}",
    ]


def _unfit(found: "Verified") -> str:
    """Why a release is not to be used, however it was made."""
    if found.state in (None, "published"):
        return ""
    joined = "but" if found.as_made else "and"
    why = f": {found.reason}" if found.reason else ""
    return f", {joined} {found.state} and not to be used{why}"
