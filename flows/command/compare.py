"""`ganflow compare`: all metrics between two sets of images; it needs no server, registry or dataset."""

from pathlib import Path
from typing import Annotated

import typer

from flows.command.console import Answer, prepare, say
from flows.command.options import Json, NetworkOption, PrecisionOption, ResizeOption

_SET = "A folder, zip or tar of images of one size, a ganflow dataset folder, or a release."


def compare(
    a: Annotated[Path, typer.Argument(help=f"The images to judge. {_SET}")],
    b: Annotated[Path, typer.Argument(help="The images to compare them with; likewise.")],
    holdout: Annotated[
        Path | None,
        typer.Option(help="Images like B's that A cannot have seen: by them copies of B in A are told best."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", "-n", min=4, help="Images of each, a fixed random choice; all if not given.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Of both, where they have splits: train or test.")] = None,
    split_a: Annotated[str | None, typer.Option(help="Of A alone.")] = None,
    split_b: Annotated[str | None, typer.Option(help="Of B alone.")] = None,
    resize: ResizeOption = None,
    precision: PrecisionOption = None,
    network: NetworkOption = None,
    report: Annotated[Path, typer.Option(help="HTML page to write.")] = Path("comparison.html"),
    as_json: Json = False,
) -> None:
    """Measure how alike two sets of images are: FID, KID, precision, recall, density, coverage, copies.

    A release is compared as its model was measured, A's before B's; other
    sets with FID's own settings; --resize and --precision change either.
    The features of each set are kept in .ganflow/cache/, so that a set is
    passed through the network once.
    """
    answer = Answer()
    settings = prepare()
    from flows.command.summary import compared_lines
    from tasks.evaluate.compare import compare_paths, comparing_config
    from tasks.runtime.locks import reading
    from tasks.runtime.scratch import scratch_folder
    from tasks.runtime.stopping import said_if_stopped

    with (
        said_if_stopped("no page was written, and the same command goes on with the features that are kept"),
        scratch_folder(settings, "compare") as scratch,
        reading(a),  # either may be a release
        reading(b),
    ):
        result = compare_paths(
            settings,
            (a, split_a or split),
            (b, split_b or split),
            holdout,
            config=comparing_config((a, b), resize=resize, precision=precision),
            n=n,
            network=network,
            report=report,
            scratch=scratch,
            on_warning=say,
        )
    answer.give(result, compared_lines(result), as_json)
