"""`ganflow ingest`."""

from typing import Annotated

import typer

from flows.command.console import Answer
from flows.command.options import SOURCE_HELP, Json, Labels, MaxRejectShare, Overrides, Preset, SourceKind, SourceSecret
from gan.data.sources.spec import AUTO, SourceSpec


def ingest(
    source: Annotated[str, typer.Argument(help=SOURCE_HELP)] = "digits",
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    source_kind: SourceKind = AUTO,
    labels: Labels = None,
    max_reject_share: MaxRejectShare = None,
    source_secret: SourceSecret = None,
    as_json: Json = False,
) -> None:
    """Read images into data/, version them with DVC, push them to the default remote.

    Images that cannot be used go to a list of rejects with their reasons.
    What is there already stays where it is, new images go behind.
    `ganflow dataset log` shows the versions.
    """
    answer = Answer()
    changes = overrides if max_reject_share is None else [*overrides, f"data.max_reject_share={max_reject_share}"]
    from flows.command.preflight import begin_with_source
    from flows.configure import resolve_data

    configuration = resolve_data(preset, changes)
    begin_with_source(SourceSpec(source, source_kind, labels))
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.command.summary import dataset_lines
        from flows.ingest import ingest_configured as flow
    result = flow(source, configuration, source_kind, labels, source_secret=source_secret)
    answer.give(result, dataset_lines(result), as_json)
