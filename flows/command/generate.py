"""`ganflow generate` and `ganflow sample`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.command.console import Answer, prepare
from flows.command.options import Json, Model, Overrides, OwnPreset

LAST_FIRST_SEED = 2**62  # seeds are int64, and those of an answer follow one another


def generate(
    model: Model = "champion",
    n: Annotated[
        int | None,
        typer.Option("--n", "-n", min=1, help="Images; as the model's configuration says if not given."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the release; the next free one without it.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=LAST_FIRST_SEED, help="First seed; derived from version and name if not given."),
    ] = None,
    preset: OwnPreset = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Draw a release of synthetic images into synthetic/ and track it with DVC.

    The model carries the configuration that it was trained with, and that
    says how many images; --preset and --set change it.
    """
    answer = Answer()
    changes = [*overrides, f"release.num_images={n}"] if n else overrides
    from flows.command.preflight import begin
    from flows.configure import require_resolvable, resolve_own

    require_resolvable(preset, changes)
    settings = begin()
    from tasks.champion.changing import find_in_use
    from tasks.tracking.own_configuration import version_configuration

    found = find_in_use(settings, model)
    configuration = resolve_own(preset, changes, lambda: version_configuration(settings, found))
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.command.summary import configuration_line, release_lines
        from flows.generate import generate_configured as flow
    result = flow(str(found.version), configuration, name, seed)
    answer.give(result, [*release_lines(result), configuration_line(configuration)], as_json)


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
    from tasks.generate.samples import write_samples

    version = write_samples(settings, model, output, label=label, count=n, seed=seed)
    facts = {"path": str(output), "model_version": version, "label": label, "n": n, "first_seed": seed}
    answer.give(facts, [f"samples   {output}: {n} images of version {version}"], as_json)
