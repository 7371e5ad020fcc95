"""`ganflow run`."""

from flows.command.console import Answer
from flows.command.options import (
    ClassesFrom,
    Exclude,
    Json,
    LabelColumn,
    Labels,
    Overrides,
    PathColumn,
    Preset,
    Source,
    SourceKind,
    SourceSecret,
    SplitFrom,
    TestGlob,
    TrainGlob,
    Workers,
)
from gan.data.sources.spec import AUTO, Asked, SourceSpec


def run(
    source: Source = "digits",
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    workers: Workers = "1",
    source_kind: SourceKind = AUTO,
    labels: Labels = None,
    source_secret: SourceSecret = None,
    classes_from: ClassesFrom = None,
    split_from: SplitFrom = None,
    train: TrainGlob = None,
    test: TestGlob = None,
    exclude: Exclude = [],  # noqa: B006
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    as_json: Json = False,
) -> None:
    """Run the whole chain: ingest, train, evaluate, register, generate."""
    answer = Answer()
    from flows.command.preflight import begin_with_source
    from flows.configure import resolve_config

    configuration = resolve_config(preset, overrides)
    asked = Asked(classes_from, split_from, train, test, tuple(exclude), label_column, path_column)
    begin_with_source(SourceSpec(source, source_kind, labels, asked=asked))
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.command.summary import pipeline_lines
        from flows.pipeline import pipeline
    result = pipeline(source, configuration, workers, source_kind, labels, source_secret, asked)
    answer.give(result, pipeline_lines(result), as_json)
