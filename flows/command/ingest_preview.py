"""What `ganflow ingest --dry-run` says: no server is started and nothing stays behind."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flows.command.console import Answer, read_settings
from gan.data.sources.spec import SourceSpec

if TYPE_CHECKING:
    from gan.data.building.preview import Preview

_MOST_CLASSES = 20


def give_preview(answer: Answer, spec: SourceSpec, source_secret: str | None, as_json: bool) -> None:
    """Open a source, look at it, and say what an ingest would find."""
    spec.require()
    from gan.data.building.preview import preview
    from tasks.ingest.credentials import find_authorization
    from tasks.ingest.opening import open_showing
    from tasks.runtime.scratch import local_scratch

    authorization = find_authorization(read_settings(), spec.spec, source_secret)
    with local_scratch("ingest") as scratch:  # what is fetched or unpacked goes with it
        found = preview(open_showing(spec, scratch, authorization))
    answer.give(found, list(preview_lines(found)), as_json)


def preview_lines(found: "Preview") -> Iterator[str]:
    """Kind, splits, classes, companions, what is left out, sizes, and the resolution that fits."""
    yield f"source    {found.name}: {found.records:,} records of the kind {found.kind}"
    for split, counts in found.counts.items():
        some = [f"{name} {count:,}" for name, count in list(counts.items())[:_MOST_CLASSES]]
        more = f" and {len(counts) - _MOST_CLASSES:,} more classes" if len(counts) > _MOST_CLASSES else ""
        yield f"          {split}: {sum(counts.values()):,} images: {', '.join(some)}{more}"
    if found.files is not None:
        companions = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.companions.items()))
        yield f"          {found.files:,} files, of which companions: {companions or 'none'}"
    for reason, count in found.rejects.items():
        yield f"          {count:,} rejected: {reason}"
    yield from (f"          {note}" for note in found.notes)
    for reason, count in found.unreadable.items():
        yield f"          of {found.sampled} that were looked at {count} rejected: {reason}"
    if found.sides:
        shortest, median, longest = found.sides
        yield f"          shorter sides of {found.sampled}: {shortest:,} to {longest:,} pixels, median {median:,}"
        yield f"          --set data.resolution={found.resolution} would fit them; nothing was written"
