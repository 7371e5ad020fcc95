"""`ganflow run`."""

from flows.command.console import Answer
from flows.command.options import Json, Labels, Overrides, Preset, Source, SourceKind, SourceSecret, Workers
from gan.data.sources.spec import AUTO, SourceSpec


def run(
    source: Source = "digits",
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    workers: Workers = "1",
    source_kind: SourceKind = AUTO,
    labels: Labels = None,
    source_secret: SourceSecret = None,
    as_json: Json = False,
) -> None:
    """Run the whole chain: ingest, train, evaluate, register, generate."""
    answer = Answer()
    from flows.command.preflight import begin_with_source
    from flows.configure import resolve_config

    configuration = resolve_config(preset, overrides)
    begin_with_source(SourceSpec(source, source_kind, labels))
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.command.summary import pipeline_lines
        from flows.pipeline import pipeline
    result = pipeline(source, configuration, workers, source_kind, labels, source_secret)
    answer.give(result, pipeline_lines(result), as_json)
