"""`ganflow releases` and `ganflow recall`: which synthetic datasets there are, and whether they may be used."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.console import Answer, prepare
from flows.command.options import Json
from flows.command.table import table

if TYPE_CHECKING:
    from tasks.releases.states import ReleaseRecord


def releases(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Releases to show, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the releases of the model with their state: published, recalled, quarantined or removed.

    A recalled release was published and should not be used any more; a
    quarantined one failed its checks and was never published; a removed one
    is not here any more (--keep-last, `ganflow prune`).
    """
    answer = Answer()
    settings = prepare()
    from tasks.releases.states import releases as listed

    found = listed(settings)
    tree = {"model": settings.model, "releases": [each.model_dump(mode="json") for each in found[:limit]]}
    answer.give(tree, releases_lines(settings.model, found, limit), as_json)


def recall(
    name: Annotated[str, typer.Argument(help="Name of the release.")],
    reason: Annotated[str, typer.Option(help="Why, in words, for whoever has the release.")],
    as_json: Json = False,
) -> None:
    """Mark a release as one that should not be used any more.

    It is marked in the registry and the event `release.recalled` is sent; its
    folder stays as it is. `ganflow rollback` recalls all releases of a version.
    """
    answer = Answer()
    from flows.command.preflight import begin
    from tasks.champion.history import require_reason

    require_reason(reason)
    begin()
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.recall import recall as flow
    result = flow(name, reason)
    answer.give(result, [f"recalled  {result.name}: {result.reason}"], as_json)


def releases_lines(model: str, found: "list[ReleaseRecord]", limit: int) -> list[str]:
    """A table of releases, the newest first."""
    if not found:
        return [f"no release of {model} yet: `ganflow generate` draws the first"]
    shown = [each.row for each in found[:limit]]
    rows = [tuple(shown[0]), *(tuple(row.values()) for row in shown)]
    more = len(found) - limit
    return [*table(rows, right={2, 3}), *([f"and {more} earlier ones: --limit {len(found)}"] if more > 0 else [])]
