"""`ganflow ingest`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.command.console import Answer
from flows.command.options import (
    SOURCE_HELP,
    ClassesFrom,
    Credit,
    Description,
    DropNearDuplicates,
    Exclude,
    Json,
    LabelColumn,
    Labels,
    License,
    MaxRejectShare,
    NearDuplicates,
    Overrides,
    PathColumn,
    Preset,
    SourceKind,
    SourceSecret,
    SourceUrl,
    SplitFrom,
    TestGlob,
    TrainGlob,
)
from gan.data.sources.spec import AUTO, Asked, SourceSpec
from gan.errors import InputError


def ingest(
    source: Annotated[str, typer.Argument(help=SOURCE_HELP)] = "digits",
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    source_kind: SourceKind = AUTO,
    labels: Labels = None,
    max_reject_share: MaxRejectShare = None,
    near_duplicates: NearDuplicates = False,
    drop_near_duplicates: DropNearDuplicates = False,
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would find, and change nothing.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="With --dry-run: HTML page to write, with pictures of each class.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read images into data/, version them with DVC, push them to the default remote.

    Images that cannot be used go to a list of rejects with their reasons.
    Folders that can be read in two ways are refused with both readings;
    --classes-from, --split-from, --train, --test and --exclude choose.
    Of equal images one is kept. The report shows pairs that are nearly equal,
    looked for among up to 10,000 images unasked; --drop-near-duplicates leaves
    out those to train on that repeat one of their class or one held out.
    What is there already stays where it is, new images go behind.
    `ganflow dataset log` shows the versions. Licence, address, credit and
    description go into dataset.json and from there into the card of every
    model and release; one that is not given stays as it was said of the
    version before, and '' withdraws it.
    """
    answer = Answer()
    changes = overrides if max_reject_share is None else [*overrides, f"data.max_reject_share={max_reject_share}"]
    if near_duplicates or drop_near_duplicates:
        changes = [*changes, f"data.near_duplicates={'drop' if drop_near_duplicates else 'report'}"]
    from flows.command.preflight import begin_with_source
    from flows.configure import resolve_data

    configuration = resolve_data(preset, changes)
    from gan.data.origin import Origin

    origin = Origin(licence=license, source_url=source_url, credit=credit, description=description).checked()
    asked = Asked(classes_from, split_from, train, test, tuple(exclude), label_column, path_column)
    spec = SourceSpec(source, source_kind, labels, configuration.config.background_rgb, asked)
    if dry_run:
        from flows.command.ingest_preview import give_preview

        give_preview(answer, spec, source_secret, configuration.config, report, as_json)
        return
    if report:
        raise InputError("--report is for --dry-run: an ingest says where its page is")
    begin_with_source(spec)
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.command.summary import dataset_lines
        from flows.ingest import ingest_configured as flow
    result = flow(source, configuration, source_kind, labels, source_secret=source_secret, origin=origin, asked=asked)
    answer.give(result, dataset_lines(result), as_json)
