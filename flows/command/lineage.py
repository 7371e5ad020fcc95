"""`ganflow lineage`: what something was made from, and what was made from it."""

from typing import Annotated

import typer

from flows.command.console import Answer, prepare
from flows.command.options import Json


def lineage(
    name: Annotated[
        str,
        typer.Argument(
            metavar="X",
            help="md5 of a dataset or id of a run, or its beginning; a version or alias; a release's name; "
            "RELEASE#ROW, RELEASE:SEED, or an image file of a release.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show the chain of X: dataset, training, evaluation, version, release, image, with the commands for each.

    From X back to all that it was made from, and forward to all that stems
    from it. An image file is found by its pixels among the releases that
    are here. Where a word may mean two things, dataset/X, run/X, version/X
    and release/X say which. What nobody recorded is called unknown: a
    licence is what `ganflow ingest` was told, or the tag `licence` that a
    person set at its run in MLflow.
    """
    answer = Answer()
    settings = prepare()
    from tasks.lineage.find import find_lineage
    from tasks.lineage.lines import lineage_lines

    found = find_lineage(settings, name)
    answer.give(found, lineage_lines(found), as_json)
