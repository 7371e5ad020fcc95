"""The flow `ingest`: a source of images becomes the current dataset version."""

from collections.abc import Sequence

from prefect import flow

from flows.configure import resolve_data
from gan.data.sources.spec import AUTO, NO_LABELS, SourceSpec
from tasks.allowed_sources import limits_of_this_run
from tasks.settings import Settings, require_writable_home
from tasks.steps.ingest import Ingested, ingest_source
from tasks.stopping import goes_on


@flow(name="ingest", log_prints=False)
def ingest(
    source: str = "digits",
    preset: str = "digits",
    overrides: Sequence[str] = (),
    source_kind: str = AUTO,
    labels: str | None = None,
    announce: bool = True,
) -> Ingested:
    """Ingest a source and, if the dataset changed, emit the event `dataset.versioned` with its md5.

    Args:
        source: `digits`, a folder, an archive or a Parquet file of images, a URL of one, or a Hugging Face dataset.
            A run of a deployment may read what lies below the home or is listed in `GANFLOW_SOURCES`; so with `labels`.
        preset: name of the configuration to begin with.
        overrides: `section.key=value` changes of it; those of `data` count.
        source_kind: what the source is; `auto` tells it by what is found there.
        labels: a CSV or JSON file of labels for a folder of images, or `none`.
        announce: emit the event; off where the caller retrains by itself.
    """
    settings = Settings()
    require_writable_home(settings)
    config = resolve_data(preset, overrides)
    if limits := limits_of_this_run(settings):
        source = limits.source(source, source_kind)
        labels = labels if labels in {None, NO_LABELS} else limits.path(labels)
    spec = SourceSpec(source, source_kind, labels, config.background_rgb)
    spec.require()
    with goes_on("the dataset is as it was or complete, and the same command goes on where it was"):
        return ingest_source(spec, config, announce)
