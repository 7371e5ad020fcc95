"""Arguments and options that verbs of `ganflow` share."""

from pathlib import Path
from typing import Annotated

import typer

from gan.configuration.vocabulary import AskedPrecision, Resize
from gan.data.sources.spec import KINDS

SOURCE_HELP = (
    "`digits`; a folder of images with a subfolder per class, with a CSV or JSON file of labels, or flat; a zip or tar "
    "of one; MNIST's or CIFAR's binary files; NumPy's arrays; a CSV file of pixels; Parquet; WebDataset tars; an LMDB "
    "database; a release; a URL of any of these; or, with --source-kind huggingface, the name of a dataset."
)
Source = Annotated[str, typer.Option("--source", "-s", help=SOURCE_HELP)]
SourceKind = Annotated[
    str, typer.Option(help=f"What the source is: {', '.join(KINDS)}. Found by looking if not given.")
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="CSV or JSON file of labels for a folder of images; `none`: subfolders, whatever file lies there."
    ),
]
ClassesFrom = Annotated[
    str | None,
    typer.Option(
        metavar="N|REGEX|none",
        help="What of a path is the class: the Nth folder (-1: the last), a regular expression's group, or `none`.",
    ),
]
SplitFrom = Annotated[
    str | None, typer.Option(metavar="N|REGEX", help="What of a path is the split: train, test and the like.")
]
TrainGlob = Annotated[str | None, typer.Option(metavar="GLOB", help="Paths to train on; * is anything, slashes too.")]
TestGlob = Annotated[str | None, typer.Option(metavar="GLOB", help="Paths to hold out.")]
Exclude = Annotated[list[str], typer.Option(metavar="GLOB", help="Paths to leave out. Repeatable.")]
LabelColumn = Annotated[str | None, typer.Option(help="Column of a file of labels, or of Parquet, that holds them.")]
PathColumn = Annotated[str | None, typer.Option(help="Column of a file of labels that holds paths.")]
SourceSecret = Annotated[
    str | None,
    typer.Option(help="Name of the Prefect Secret block that holds a token, or user:password, of a URL's server."),
]
MaxRejectShare = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Fail if a larger share of the files is rejected (default: 0.05)."),
]
NearDuplicates = Annotated[
    bool,
    typer.Option("--near-duplicates", help="Look for images that are nearly equal, however many there are."),
]
DropNearDuplicates = Annotated[
    bool,
    typer.Option("--drop-near-duplicates", help="Leave out images to train on that nearly equal one that stays."),
]
Preset = Annotated[str, typer.Option("--preset", "-p", help="Configuration to begin with: see `ganflow presets`.")]
OwnPreset = Annotated[
    str | None,
    typer.Option(
        "--preset", "-p", help="Configuration in place of the one that the run or model carries: see `ganflow presets`."
    ),
]
Overrides = Annotated[list[str], typer.Option("--set", help="Change a key: --set train.total_kimg=50. Repeatable.")]


def _workers(written: str) -> str:
    from gan.errors import InputError
    from tasks.train.resources import WorkerRange

    try:
        return str(WorkerRange.parse(written))
    except InputError as error:
        raise typer.BadParameter(str(error)) from None


Workers = Annotated[
    str,
    typer.Option(
        "--workers",
        "-w",
        metavar="N|MIN:MAX",
        callback=_workers,
        help="Ray Train workers: a number, or a range within which it goes on as nodes go and come.",
    ),
]
Resume = Annotated[
    str | None,
    typer.Option(help="Go on with an unfinished run: its id, or `auto` for the newest of these settings, if any."),
]
WarmStart = Annotated[
    str | None,
    typer.Option(help="Begin with the networks of a registered model: an alias or version. Keeps what it learned."),
]
SkipUnchanged = Annotated[
    bool,
    typer.Option(
        "--skip-unchanged", help="Train nothing if these settings, data and code were trained and decided about before."
    ),
]
Trials = Annotated[
    int, typer.Option(min=1, max=100, help="Train so many seeds; the best by its KID beside training competes.")
]
MaxMinutes = Annotated[
    float | None,
    typer.Option(min=0.0, help="After so many minutes of training leave a checkpoint; asked for again, it goes on."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would cost in memory and time, and start nothing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the summary.")]
Model = Annotated[str, typer.Option("--model", "-m", help="Alias or version of the registered model.")]
ResizeOption = Annotated[
    Resize | None,
    typer.Option(
        help="To the network's 299x299: tf1 as FID's authors, clean as clean-fid, torch. As configured if not given."
    ),
]
PrecisionOption = Annotated[
    AskedPrecision | None,
    typer.Option(
        help="Of the feature network; auto: bf16 where the hardware has it, else fp32. As configured if not given."
    ),
]
NetworkOption = Annotated[
    Path | None,
    typer.Option(help="A TorchScript file instead of Inception; its scores are not called FID."),
]
RunId = Annotated[str, typer.Argument(help="The id that `ganflow train` printed.")]

License = Annotated[
    str | None,
    typer.Option(
        metavar="SPDX", help="Licence of the images: CC-BY-4.0, or LicenseRef-NAME for one that SPDX does not list."
    ),
]
SourceUrl = Annotated[str | None, typer.Option(help="Where the images are published.")]
Credit = Annotated[str | None, typer.Option(help="Who is to be named.")]
Description = Annotated[str | None, typer.Option(help="What the images show and how they came about, in a line.")]
