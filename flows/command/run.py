"""`ganflow run`."""

from flows.command.console import Answer
from flows.command.options import (
    ClassesFrom,
    Credit,
    Description,
    Exclude,
    Json,
    LabelColumn,
    Labels,
    License,
    Overrides,
    PathColumn,
    Preset,
    Source,
    SourceKind,
    SourceSecret,
    SourceUrl,
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
    license: License = None,
    source_url: SourceUrl = None,
    credit: Credit = None,
    description: Description = None,
    classes_from: ClassesFrom = None,
    split_from: SplitFrom = None,
    train: TrainGlob = None,
    test: TestGlob = None,
    exclude: Exclude = [],  # noqa: B006
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    as_json: Json = False,
) -> None:
    """Run the whole chain: ingest, train, evaluate, register, generate.

    What is said of licence, address, credit and description stands in
    dataset.json and on the cards of the model and the release, as of
    `ganflow ingest`.
    """
    answer = Answer()
    from flows.command.preflight import begin_with_source
    from flows.configure import resolve_config

    configuration = resolve_config(preset, overrides)
    from gan.data.origin import Origin

    origin = Origin(licence=license, source_url=source_url, credit=credit, description=description).checked()
    asked = Asked(classes_from, split_from, train, test, tuple(exclude), label_column, path_column)
    begin_with_source(SourceSpec(source, source_kind, labels, asked=asked))
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.command.summary import pipeline_lines
        from flows.pipeline import pipeline
    result = pipeline(source, configuration, workers, source_kind, labels, source_secret, asked, origin)
    answer.give(result, pipeline_lines(result), as_json)
