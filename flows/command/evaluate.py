"""`ganflow evaluate` and `ganflow register`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.command.console import Answer
from flows.command.options import Json, NetworkOption, Overrides, OwnPreset, PrecisionOption, ResizeOption, RunId


def evaluate(
    model: Annotated[
        str, typer.Argument(help="Alias or version of the registered model, a run id, or a checkpoint folder.")
    ] = "champion",
    preset: OwnPreset = None,
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

    Scores are compared with real images of the current dataset, or of --data,
    as the configuration that the generator carries says; --preset, --set and
    other options change it. The page goes to .ganflow/evaluations/ and to
    MLflow.
    """
    answer = Answer()
    from flows.command.preflight import begin, begin_with_data
    from flows.configure import evaluation_overrides, require_resolvable, resolve_own

    changes = [
        *overrides,
        *evaluation_overrides(resize=resize, precision=precision, num_images=n, reference_split=split),
        *(["evaluation.usefulness_seeds=3"] if usefulness else []),
    ]
    require_resolvable(preset, changes)
    settings = begin_with_data() if data is None else begin()
    from tasks.tracking.own_configuration import fixed_name, own_configuration

    model = fixed_name(settings, model)
    configuration = resolve_own(preset, changes, lambda: own_configuration(settings, model))
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.command.summary import configuration_line, measured_lines
        from flows.evaluate import evaluate_configured as flow
    result = flow(model, configuration, *(str(path.absolute()) if path else None for path in (data, network)))
    answer.give(result, [*measured_lines(result), configuration_line(configuration)], as_json)


def register(
    run_id: RunId,
    preset: OwnPreset = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Measure a training run and register it; it becomes champion if it beats the one in use.

    Both are measured as the run's own configuration says; --preset and --set
    change it.
    """
    answer = Answer()
    from flows.command.preflight import begin_with_data
    from flows.configure import require_resolvable, resolve_own

    require_resolvable(preset, overrides)
    settings = begin_with_data()
    from tasks.tracking.own_configuration import run_configuration
    from tasks.tracking.runs import run_dataset

    run_dataset(settings, run_id)
    configuration = resolve_own(preset, overrides, lambda: run_configuration(settings, run_id))
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.command.summary import configuration_line, model_lines
        from flows.register import register as flow
    result = flow(run_id, configuration)
    answer.give(result, [*model_lines(result), configuration_line(configuration)], as_json)
