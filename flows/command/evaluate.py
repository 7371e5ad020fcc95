"""`ganflow evaluate` and `ganflow register`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.command.options import Json, NetworkOption, Overrides, PrecisionOption, Preset, ResizeOption, RunId
from flows.console import Answer


def evaluate(
    model: Annotated[
        str, typer.Argument(help="Alias or version of the registered model, a run id, or a checkpoint folder.")
    ] = "champion",
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    data: Annotated[
        Path | None,
        typer.Option(help="Measure against these images instead: a dataset folder, a release, a folder or archive."),
    ] = None,
    resize: ResizeOption = None,
    precision: PrecisionOption = None,
    n: Annotated[int | None, typer.Option("--n", "-n", min=4, help="Generated images.")] = None,
    split: Annotated[str | None, typer.Option(help="Split to compare with: train or test.")] = None,
    usefulness: Annotated[
        bool, typer.Option("--usefulness", help="Train classifiers too: on generated, on real, on both (minutes).")
    ] = False,
    network: NetworkOption = None,
    as_json: Json = False,
) -> None:
    """Measure a generator: FID, KID, precision, recall, density, coverage, copies, and a page to look at.

    Scores are compared with real images of the current dataset, or of --data.
    The page goes to .ganflow/evaluations/ and to MLflow.
    """
    answer = Answer()
    from flows.command.preflight import begin, begin_with_data
    from flows.configure import evaluation_overrides

    changes = [
        *overrides,
        *evaluation_overrides(resize=resize, precision=precision, num_images=n, reference_split=split),
        *(["evaluation.usefulness_seeds=3"] if usefulness else []),
    ]
    if data is None:
        begin_with_data(preset, changes)
    else:
        begin(preset, changes)
    from flows.temporary_server import starting_prefect

    with starting_prefect():
        from flows.evaluate import evaluate as flow
        from flows.summary import measured_lines
    result = flow(model, preset, changes, *(str(path.absolute()) if path else None for path in (data, network)))
    answer.give(result, measured_lines(result), as_json)


def register(
    run_id: RunId,
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Measure a training run and register it; it becomes champion if it beats the one in use."""
    answer = Answer()
    from flows.command.preflight import begin_with_data

    begin_with_data(preset, overrides, run_id=run_id)
    from flows.temporary_server import starting_prefect

    with starting_prefect():
        from flows.register import register as flow
        from flows.summary import model_lines
    result = flow(run_id, preset, overrides)
    answer.give(result, model_lines(result), as_json)
