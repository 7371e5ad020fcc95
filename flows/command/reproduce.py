"""`ganflow reproduce`: a version trained once more, and compared."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.console import Answer, read_settings, say
from flows.command.options import Json

if TYPE_CHECKING:
    from tasks.reproduce.compare import Reproduced


def reproduce(
    version: Annotated[str, typer.Argument(help="Version or alias of the registered model.")],
    as_json: Json = False,
) -> None:
    """Train a version once more from what is on record, and say whether the very same came of it.

    Dataset, configuration, seed, workers, threads and arithmetic are those of
    then; data/ stays as it is. Weights are compared bit by bit, scores under
    the protocol of then. The run is no candidate. Exit status 1 where weights
    or scores differ, with what is not as it was.
    """
    answer = Answer()
    from flows.command.preflight import begin

    settings = begin()
    from tasks.reproduce.plan import plan_reproduction

    for note in plan_reproduction(settings, version).notes:
        say(note)
    from flows.services.temporary_server import starting_prefect
    from tasks.runtime.ray_cluster import start_ray_ahead

    with starting_prefect():
        from flows.reproduce import reproduce as flow

        start_ray_ahead(read_settings(), say)
    result = flow(version)
    answer.give(result, reproduced_lines(result), as_json)
    if not result.equal:
        raise typer.Exit(1)


def reproduced_lines(result: "Reproduced") -> list[str]:
    """Whether weights and scores are the same, and what is not as it was."""
    weights = result.weights
    if weights.equal:
        told = f"equal bit by bit, sha256 {weights.now}"
    elif weights.difference is None:
        told = "of other shapes"
    else:
        told = f"different by {weights.difference:.3g} of their norm, sha256 {weights.then} and {weights.now}"
    differ = [key for key, (then, now) in result.scores.items() if then != now]
    scores = f"{', '.join(differ)} differ" if differ else f"all {len(result.scores)} equal"
    return [
        f"version   {result.version} of run {result.run_id}, trained again in run {result.reproduction}",
        f"weights   {told}",
        f"scores    {scores if result.scores else 'not compared'}",
        *(f"differs   {each}" for each in result.differs),
    ]
