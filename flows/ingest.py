"""The flow `ingest`: a source of images becomes the current dataset version."""

from collections.abc import Sequence

from prefect import flow

from flows.configure import resolve_config
from tasks.settings import Settings, require_writable_home
from tasks.steps.ingest import Ingested, ingest_source


@flow(name="ingest", log_prints=False)
def ingest(
    source: str = "digits", preset: str = "digits", overrides: Sequence[str] = (), announce: bool = True
) -> Ingested:
    """Ingest a source and, if the dataset changed, emit the event `dataset.versioned` with its md5.

    Args:
        source: `digits`, or a folder of images with a subfolder per class.
        preset: name of the configuration to begin with.
        overrides: `section.key=value` changes of it.
        announce: emit the event; off where the caller retrains by itself.
    """
    require_writable_home(Settings())
    return ingest_source(source, resolve_config(preset, overrides), announce)
