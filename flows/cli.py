"""The command `ganflow`: one verb for each step, one for the whole chain."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.compare_cli import compare
from flows.configure import evaluation_overrides, resolve_config, resolve_data
from flows.console import Answer, errors_as_sentences, prepare, read_settings
from flows.dataset_cli import app as dataset_app
from flows.options import (
    SOURCE_HELP,
    DryRun,
    Json,
    Labels,
    MaxRejectShare,
    Model,
    NetworkOption,
    Overrides,
    PrecisionOption,
    Preset,
    ResizeOption,
    Resume,
    RunId,
    Source,
    SourceKind,
    WarmStart,
    Workers,
)
from flows.presets_cli import presets
from flows.temporary_server import start_prefect
from gan.data.sources.spec import AUTO, SourceSpec
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.training_plan import TrainingPlan

app = typer.Typer(
    name="ganflow",
    help="Keep synthetic image datasets fresh: version images with DVC, train a GAN on Ray, measure it, register it "
    "in MLflow and draw releases from the champion, all as Prefect flows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(dataset_app)
app.command()(compare)
app.command()(presets)

LAST_FIRST_SEED = 2**62  # seeds are int64, and those of an answer follow one another


def _begin(preset: str, overrides: Sequence[str], *, run_id: str | None = None) -> Settings:
    """Refuse wrong input before any server is started: configuration, home, MLflow's address, run."""
    resolve_config(preset, overrides)
    settings = prepare()
    from tasks.past_runs import run_tags
    from tasks.tracking import client

    client(settings)
    if run_id is not None:
        run_tags(settings, run_id)
    return settings


def _begin_with_source(source: SourceSpec) -> None:
    """As `_begin`, for verbs that read a source; they have checked the part of the configuration that they need."""
    source.require()
    settings = prepare()
    from tasks.tracking import client

    client(settings)


def _begin_with_data(preset: str, overrides: Sequence[str], *, run_id: str | None = None) -> Settings:
    """As `_begin`, for verbs that need a dataset."""
    settings = _begin(preset, overrides, run_id=run_id)
    from tasks.dvc_repo import require_version

    require_version(settings)
    return settings


def _plan(
    preset: str, overrides: Sequence[str], *, resume: str | None = None, warm_start: str | None = None
) -> "TrainingPlan":
    """As `_begin_with_data`, for verbs that train: refuse what does not fit the dataset, a run or a model."""
    settings = _begin_with_data(preset, overrides)
    from tasks.training_plan import plan_training

    plan = plan_training(settings, resolve_config(preset, overrides), resume=resume, warm_start=warm_start)
    for note in plan.notes:
        typer.echo(f"ganflow: {note}", err=True)
    return plan


@app.command()
def run(
    source: Source = "digits",
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    workers: Workers = 1,
    source_kind: SourceKind = AUTO,
    labels: Labels = None,
    as_json: Json = False,
) -> None:
    """Run the whole chain: ingest, train, evaluate, register, generate."""
    answer = Answer()
    resolve_config(preset, overrides)
    _begin_with_source(SourceSpec(source, source_kind, labels))
    from flows.pipeline import pipeline
    from flows.summary import pipeline_lines

    start_prefect()
    result = pipeline(source, preset, overrides, workers, source_kind, labels)
    answer.give(result, pipeline_lines(result), as_json)


@app.command()
def ingest(
    source: Annotated[str, typer.Argument(help=SOURCE_HELP)] = "digits",
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    source_kind: SourceKind = AUTO,
    labels: Labels = None,
    max_reject_share: MaxRejectShare = None,
    as_json: Json = False,
) -> None:
    """Read images into data/, version them with DVC, push them to the default remote.

    Images that cannot be used go to a list of rejects with their reasons.
    What is there already stays where it is, new images go behind.
    `ganflow dataset log` shows the versions.
    """
    answer = Answer()
    changes = overrides if max_reject_share is None else [*overrides, f"data.max_reject_share={max_reject_share}"]
    resolve_data(preset, changes)
    _begin_with_source(SourceSpec(source, source_kind, labels))
    from flows.ingest import ingest as flow
    from flows.summary import dataset_lines

    start_prefect()
    result = flow(source, preset, changes, source_kind, labels)
    answer.give(result, dataset_lines(result), as_json)


@app.command()
def train(
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    workers: Workers = 1,
    resume: Resume = None,
    warm_start: WarmStart = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Train a generator on the current dataset; its checkpoint goes to an MLflow run.

    With --resume auto a training that was killed goes on in its own run, and none is lost: it may be called again
    and again.
    """
    answer = Answer()
    plan = _plan(preset, overrides, resume=resume, warm_start=warm_start)
    if dry_run:
        from flows.forecast_lines import forecast_lines
        from tasks.forecast import forecast

        figures = forecast(read_settings(), plan, workers)
        answer.give(figures, forecast_lines(figures), as_json)
        return
    from flows.summary import training_lines
    from flows.train import train as flow

    start_prefect()
    result = flow(preset, overrides, workers, resume, warm_start)
    answer.give(result, training_lines(result), as_json)


@app.command()
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
    changes = [
        *overrides,
        *evaluation_overrides(resize=resize, precision=precision, num_images=n, reference_split=split),
        *(["evaluation.usefulness_seeds=3"] if usefulness else []),
    ]
    if data is None:
        _begin_with_data(preset, changes)
    else:
        _begin(preset, changes)
    from flows.evaluate import evaluate as flow
    from flows.summary import measured_lines

    start_prefect()
    result = flow(model, preset, changes, *(str(path.absolute()) if path else None for path in (data, network)))
    answer.give(result, measured_lines(result), as_json)


@app.command()
def register(
    run_id: RunId,
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Measure a training run and register it; it becomes champion if it beats the one in use."""
    answer = Answer()
    _begin_with_data(preset, overrides, run_id=run_id)
    from flows.register import register as flow
    from flows.summary import model_lines

    start_prefect()
    result = flow(run_id, preset, overrides)
    answer.give(result, model_lines(result), as_json)


@app.command()
def retrain(
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    workers: Workers = 1,
    warm_start: WarmStart = None,
    as_json: Json = False,
) -> None:
    """Train, measure and register in one: what schedules and new data start."""
    answer = Answer()
    _plan(preset, overrides, warm_start=warm_start)
    from flows.retrain import retrain as flow
    from flows.summary import model_lines

    start_prefect()
    result = flow(preset, overrides, None, workers, warm_start)
    answer.give(result, model_lines(result), as_json)


@app.command()
def generate(
    model: Model = "champion",
    n: Annotated[int | None, typer.Option("--n", "-n", min=1, help="Images; the preset's number without it.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the release; the next free one without it.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=LAST_FIRST_SEED, help="First seed; derived from version and name if not given."),
    ] = None,
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Draw a release of synthetic images into synthetic/ and track it with DVC."""
    answer = Answer()
    changes = [*overrides, f"release.num_images={n}"] if n else overrides
    settings = _begin(preset, changes)
    from tasks.registry import find_model

    find_model(settings, model)
    from flows.generate import generate as flow
    from flows.summary import release_lines

    start_prefect()
    result = flow(model, name, seed, preset, changes)
    answer.give(result, release_lines(result), as_json)


@app.command()
def sample(
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG file to write.")] = Path("samples.png"),
    label: Annotated[int, typer.Option("--label", "-l", help="Class; -1 draws it from the seed.")] = -1,
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=10_000, help="Images.")] = 64,
    seed: Annotated[int, typer.Option(min=0, max=LAST_FIRST_SEED, help="First seed.")] = 0,
    model: Model = "champion",
    as_json: Json = False,
) -> None:
    """Draw a grid of samples into a PNG file; no server is needed."""
    answer = Answer()
    settings = prepare()
    from tasks.samples import write_samples

    version = write_samples(settings, model, output, label=label, count=n, seed=seed)
    facts = {"path": str(output), "model_version": version, "label": label, "n": n, "first_seed": seed}
    answer.give(facts, [f"samples   {output}: {n} images of version {version}"], as_json)


@app.command()
def up(
    prefect_port: Annotated[int, typer.Option(help="Port of the Prefect server.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow server.")] = 5000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Start Prefect and MLflow servers, worker and deployments; Ctrl-C stops them all."""
    from flows.up import run_up

    run_up(read_settings(), prefect_port=prefect_port, mlflow_port=mlflow_port, host=host)


def main() -> None:
    """Run the command."""
    with errors_as_sentences():
        app()


if __name__ == "__main__":
    main()
