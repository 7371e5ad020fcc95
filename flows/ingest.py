"""The flow `ingest`: a source of images becomes the current dataset version."""

from collections.abc import Sequence
from typing import Literal

from prefect import flow

from flows.configure import resolve_data
from flows.parameters import Overrides, Plain
from gan.configuration.provenance import DataConfiguration
from gan.data.origin import Origin
from gan.data.sources.spec import AUTO, NO_LABELS, NOTHING_ASKED, Asked, SourceSpec
from tasks.ingest.allowed_sources import limits_of_this_run
from tasks.ingest.step import Ingested, ingest_source
from tasks.runtime.settings import Settings, require_writable_home
from tasks.runtime.stopping import said_if_stopped


@flow(name="ingest", log_prints=False)
def ingest(
    source: Plain = "digits",
    preset: str = "digits",
    overrides: Overrides = (),
    source_kind: str = AUTO,
    labels: Plain | None = None,
    announce: bool = True,
    source_secret: str | None = None,
    license: Plain | None = None,
    source_url: Plain | None = None,
    credit: Plain | None = None,
    description: Plain | None = None,
    classes_from: Plain | None = None,
    split_from: Plain | None = None,
    train: Plain | None = None,
    test: Plain | None = None,
    exclude: Sequence[Plain] = (),
    label_column: Plain | None = None,
    path_column: Plain | None = None,
    near_duplicates: Literal["auto", "report", "drop", "off"] | None = None,
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
        source_secret: name of the Secret block that holds the credential of a URL's server.
        license: of the images: `CC-BY-4.0` or another SPDX expression, `LicenseRef-…` for one that SPDX does not list.
            Without it, as without the next three, what was said of the version before stands; an empty text withdraws.
        source_url: where the images are published.
        credit: who is to be named.
        description: what the images show and how they came about.
        classes_from: what of an image's path is its class: the number of a folder, 1 for the first and -1 for the last;
            a regular expression, whose group it is; or `none`.
        split_from: what of a path is its split, `train`, `test` and the like, in the same ways.
        train: pattern of the paths of images to train on; `*` stands for anything, slashes too.
        test: pattern of the paths of images to hold out.
        exclude: patterns of paths that are left out.
        label_column: the column of a file of labels, or of Parquet files of images, that holds them.
        path_column: the column of a file of labels that holds the paths.
        near_duplicates: `data.near_duplicates`: what becomes of images that are nearly equal; as configured if not
            given.
    """
    asked = Asked(classes_from, split_from, train, test, tuple(exclude), label_column, path_column)
    origin = Origin(licence=license, source_url=source_url, credit=credit, description=description).checked()
    if limits := limits_of_this_run(Settings()):
        source = limits.source(source, source_kind)
        labels = labels if labels in {None, NO_LABELS} else limits.path(labels)
    if near_duplicates:
        overrides = [*overrides, f"data.near_duplicates={near_duplicates}"]
    configuration = resolve_data(preset, overrides)
    return ingest_configured.fn(source, configuration, source_kind, labels, announce, source_secret, origin, asked)


@flow(name="ingest", log_prints=False)
def ingest_configured(
    source: Plain,
    configuration: DataConfiguration,
    source_kind: str = AUTO,
    labels: Plain | None = None,
    announce: bool = True,
    source_secret: str | None = None,
    origin: Origin | None = None,
    asked: Asked = NOTHING_ASKED,
) -> Ingested:
    """As `ingest`, for a caller that has resolved the configuration."""
    require_writable_home(Settings())
    config = configuration.config
    spec = SourceSpec(source, source_kind, labels, config.background_rgb, asked)
    spec.require()
    origin = None if origin is None else origin.checked()
    with said_if_stopped("the dataset is as it was or complete, and the same command goes on where it was"):
        return ingest_source(spec, config, announce, source_secret, origin)
