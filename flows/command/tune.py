"""`ganflow tune`: a search for settings that beat the preset's."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.console import Answer, read_settings, say
from flows.command.options import Json, Overrides, Preset

if TYPE_CHECKING:
    from tasks.tune.outcome import Tuned


def tune(
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    search: Annotated[
        list[str],
        typer.Option(
            help="Search over a key in this range: optimizer.lr=1e-4:1e-2:log, or augment.probability=0.5|1. For "
            "network.widths, numbers are multiples of the preset's. Repeatable.",
        ),
    ] = [],  # noqa: B006
    trials: Annotated[int, typer.Option(min=2, max=1000, help="Trainings, the preset's own among them.")] = 8,
    kimg: Annotated[
        float | None,
        typer.Option(min=0.001, help="Length of a trial, in thousands of images; the preset's by default."),
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option("--max-trials-at-once", min=1, help="Trials at a time; one for each GPU, or one, by default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Search for settings that beat a preset, by short trainings of which the worse half is stopped early.

    Penalties, learning rate, augmentation and widths are searched over unless
    --search or --set say otherwise. In the end the best trial and the preset,
    trained as long, are compared on fresh seeds, and the command that trains
    the winner is printed. The same command again goes on after a kill.
    """
    answer = Answer()
    from flows.command.preflight import begin_with_data
    from flows.configure import resolve_config

    configuration = resolve_config(preset, overrides)
    from tasks.tune.space import search_space

    search_space(configuration.config, [change.partition("=")[0] for change in overrides], search)
    settings = begin_with_data()
    from tasks.tune.plan import plan_tuning

    plan_tuning(settings, configuration, search, trials, kimg)
    from flows.services.temporary_server import starting_prefect
    from tasks.runtime.ray_cluster import start_ray_ahead

    with starting_prefect():
        from flows.tune import tune as flow

        start_ray_ahead(read_settings(), say)
    result = flow(configuration, search, trials, kimg, at_once)
    answer.give(result, tuned_lines(result), as_json)


def tuned_lines(result: "Tuned") -> list[str]:
    """The trials in a table, whether one beats the preset, and the command that trains the winner."""
    from flows.command.table import table
    from tasks.tune.page import trial_rows

    rows = trial_rows(result)
    lines = table([list(rows[0]), *(list(row.values()) for row in rows)], right={0, 2, 3})
    return [
        *lines,
        f"outcome   {result.verdict}",
        f"          one training each of {result.kimg:g} kimg; another seed may decide otherwise",
        f"run       {result.run_id} of the MLflow experiment ganflow-tuning",
        f"winner    {result.command}",
    ]
