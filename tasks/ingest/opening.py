"""Opening a source, with a bar for what takes long in it."""

from pathlib import Path

from gan.data.files.fetch import is_url
from gan.data.records import Source
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from tasks.runtime.progress import AnyLogger, progress


def open_showing(spec: SourceSpec, scratch: Path, authorization: str | None, logger: AnyLogger | None = None) -> Source:
    """Open a source, and show how far what takes long in it is: fetching, or listing the files of a folder."""
    if not is_url(spec.spec):
        with progress("listing", 0, logger, unit="files") as update:
            return open_source(spec, scratch, on_listed=update)
    with progress("fetching", 0, logger, unit="bytes") as update:
        return open_source(spec, scratch, lambda done, total: update(done, total=total), authorization)
