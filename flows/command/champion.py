"""`ganflow promote`, `ganflow rollback` and `ganflow history`: which version is in use."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.console import Answer, prepare
from flows.command.options import Json
from flows.command.table import table

if TYPE_CHECKING:
    from flows.promote import Promoted
    from tasks.champion.history import History
    from tasks.champion.step import RolledBack


def promote(
    version: Annotated[
        str, typer.Argument(help="Number or alias of the version; the newest candidate if not given.")
    ] = "challenger",
    force: Annotated[bool, typer.Option("--force", help="Whatever the gate says; wants --reason.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why, in words, for the history.")] = None,
    as_json: Json = False,
) -> None:
    """Make a version the champion: if it passes the gate, or with --force because you say so.

    Without --force the version is measured against the champion of today, as
    `ganflow register` does; one that the gate refuses stays what it is, and
    the command ends with status 1. `ganflow rollback` undoes a promotion.
    """
    answer = Answer()
    from flows.command.preflight import begin
    from tasks.champion.history import require_reason

    if force:
        require_reason(reason)
    settings = begin()
    from tasks.tracking.versions import find_model

    found = find_model(settings, version)
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.promote import promote as flow
    result = flow(str(found.version), force, reason)
    answer.give(result, promoted_lines(result), as_json)


def rollback(
    reason: Annotated[str, typer.Option(help="Why, in words, for the history and the recalled releases.")],
    to: Annotated[
        int | None, typer.Option(min=1, help="Version to go back to; the champion before if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Go back to an earlier champion, and recall the releases of the one that is withdrawn.

    Releases are marked in the registry; their folders stay as they are. A
    version that was gone back from is not gone back to: `ganflow promote`
    makes it champion again.
    """
    answer = Answer()
    from flows.command.preflight import begin
    from tasks.champion.history import require_reason

    require_reason(reason)
    begin()
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.rollback import rollback as flow
    result = flow(reason, to)
    answer.give(result, rollback_lines(result), as_json)


def history(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Changes to show, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List which version was champion since when, who changed it, and why; `*` is in use now.

    An alias that was moved in MLflow's page is found and noted, too.
    """
    answer = Answer()
    settings = prepare()
    from tasks.champion.changing import settle

    found = settle(settings)
    shown = found.model_copy(update={"changes": found.changes[-limit:]})
    tree = {
        "model": settings.model,
        "champion": found.champion,
        "previous": found.former[-1] if found.former else None,
        "changes": [
            change.model_dump(mode="json", exclude={"process", "follows", "settled"}) | {"when": change.when}
            for change in reversed(shown.changes)
        ],
    }
    answer.give(tree, history_lines(settings.model, found, limit), as_json)


def promoted_lines(result: "Promoted") -> list[str]:
    """Which version is in use, and how to undo it."""
    if result.before == result.version:
        return [f"champion  version {result.version} is champion already: {result.reason}"]
    before = "the first champion" if result.before is None else f"champion in place of version {result.before}"
    lines = [f"champion  version {result.version} is {before}: {result.reason}"]
    return lines if result.before is None else [*lines, "          undo: ganflow rollback --reason …"]


def rollback_lines(result: "RolledBack") -> list[str]:
    """Which version is in use, and what was recalled."""
    withdrawn = "" if result.withdrawn is None else f", version {result.withdrawn} is withdrawn"
    recalled = ", ".join(result.recalled) or "none: the withdrawn version has made none"
    return [
        f"champion  version {result.champion} is champion again{withdrawn}: {result.reason}",
        f"recalled  {recalled}",
    ]


def history_lines(model: str, found: "History", limit: int) -> list[str]:
    """A table of changes, the newest first."""
    if not found.changes:
        return [f"no champion of {model} yet: `ganflow retrain` trains the first"]
    shown = found.rows[:limit]
    rows = [("", *shown[0]), *(("" if index else "*", *row.values()) for index, row in enumerate(shown))]
    more = len(found.changes) - limit
    return [
        *table(rows, right={3, 4}),
        *([f"and {more} earlier ones: --limit {len(found.changes)}"] if more > 0 else []),
    ]
