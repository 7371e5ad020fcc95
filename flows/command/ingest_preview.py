"""What `ganflow ingest --dry-run` says: no server is started and nothing stays behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flows.command.console import Answer, read_settings
from flows.command.summary import files_line
from gan.data.sources.spec import SourceSpec
from gan.errors import InputError
from gan.text.counted import counted

if TYPE_CHECKING:
    from gan.configuration.config import DataConfig
    from gan.data.building.preview import Preview

_MOST_CLASSES = 20


def give_preview(
    answer: Answer,
    spec: SourceSpec,
    source_secret: str | None,
    config: "DataConfig",
    report: Path | None,
    as_json: bool,
) -> None:
    """Open a source, look at it, and say what an ingest would find; with pictures on a page where one is asked for."""
    spec.require()
    if report and (not report.parent.is_dir() or report.is_dir()):
        raise InputError(f"{report} cannot be written (no such folder): give --report another path")
    from gan.data.building.preview import preview
    from tasks.ingest.credentials import find_authorization
    from tasks.ingest.opening import open_showing
    from tasks.runtime.scratch import local_scratch

    authorization = find_authorization(read_settings(), spec.spec, source_secret)
    with local_scratch("ingest") as scratch:  # what is fetched or unpacked goes with it
        source = open_showing(spec, scratch, authorization)
        found = preview(source)
        if report:
            from gan.data.building.contact_sheet import pictures
            from tasks.ingest.look import PICTURES_PER_CLASS, look_html
            from tasks.ingest.report import CLASSES_PICTURED

            sheet = pictures(
                source, config, found.resolution or config.resolution, CLASSES_PICTURED, PICTURES_PER_CLASS
            )
            report.write_text(look_html(found, sheet), "utf-8")
    lines = list(preview_lines(found))
    if report:
        lines.append(f"          report {report.absolute()}")
    answer.give(found, lines, as_json)


def preview_lines(found: "Preview") -> Iterator[str]:
    """Kind, splits, classes, companions, what is left out, sizes, and the resolution that fits."""
    from gan.data.building.windows import text

    yield f"source    {found.name}: {counted(found.records, 'record')} of the kind {found.kind}"
    for split, counts in found.counts.items():
        some = [f"{name} {count:,}" for name, count in list(counts.items())[:_MOST_CLASSES]]
        more = (
            f" and {counted(len(counts) - _MOST_CLASSES, 'more class', 'more classes')}"
            if len(counts) > _MOST_CLASSES
            else ""
        )
        yield f"          {split}: {counted(sum(counts.values()), 'image')}: {', '.join(some)}{more}"
    if found.files is not None:
        yield f"          {files_line(found.files)}"
    for reason, count in found.rejects.items():
        yield f"          {count:,} rejected: {reason}"
    yield from (f"          {note}" for note in found.notes)
    for reason, count in found.unreadable.items():
        yield f"          of {found.sampled} that were looked at {count} rejected: {reason}"
    if found.sides:
        shortest, median, longest = found.sides
        span = f"{shortest:,} to {longest:,} pixels, median {median:,}" if shortest < longest else f"{median:,} pixels"
        yield f"          shorter sides of {found.sampled}: {span}"
        yield from (f"          values of {kind}: {text(bounds)}" for kind, bounds in found.values.items())
        yield f"          --set data.resolution={found.resolution} would fit them; the dataset is as it was"
