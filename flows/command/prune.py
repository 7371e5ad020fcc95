"""`ganflow prune`: what is old and needed by nothing goes."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command.console import Answer, prepare, say
from flows.command.options import Json
from flows.command.table import table
from gan.text.counted import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tasks.prune.records import Item, Plan, Pruned, What

_GROUPS = "runs,checkpoints,evaluations,releases,caches,logs"
_UNITS = ("B", "kB", "MB", "GB", "TB")
_SHOWN = 12  # characters of an id or an md5


def _groups(written: str) -> str:
    unknown = sorted({each.strip() for each in written.split(",")} - {*_GROUPS.split(",")})
    if unknown:
        raise typer.BadParameter(f"unknown «{unknown[0]}»: give some of {_GROUPS}")
    return written


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go and why, and remove nothing.")] = False,
    older_than: Annotated[
        float, typer.Option(min=0, metavar="DAYS", help="Leave what ended, or was written or read, more recently.")
    ] = 30,
    what: Annotated[str, typer.Option(callback=_groups, help="Groups to look at, with commas between.")] = _GROUPS,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Remove old runs, checkpoints, evaluations, caches and logs that nothing needs, and unfinished releases.

    What a registered version of any model or a release goes back to stays,
    whatever its age, and so does what somebody trains. Published releases
    stay; unfinished ones that nobody draws, and those in quarantine, go. A training that was
    cut short and could go on stays until it is older than DAYS; so does one
    that is finished and not registered. Caches are made anew when they are
    wanted. Without a terminal to ask on, --yes is needed.
    """
    answer = Answer()
    settings = prepare()
    from flows.services.discovery import home_lock
    from gan.errors import InputError
    from tasks.prune.pruning import Pruning
    from tasks.prune.records import WHAT, Pruned

    chosen: tuple[What, ...] = tuple(each for each in WHAT if each in {name.strip() for name in what.split(",")})
    with home_lock(settings) as lock:
        up_runs = lock is None
    pruning = Pruning(settings, older_than=older_than, what=chosen, up_runs=up_runs)
    plan = pruning.plan()
    if dry_run or not plan.items:
        answer.give(Pruned(plan=plan, dry_run=dry_run), plan_lines(plan), as_json)
        return
    if not yes:
        if not sys.stdin.isatty():
            raise InputError("there is no terminal to ask on: look with `ganflow prune --dry-run`, then add --yes")
        for line in plan_lines(plan):
            say(line)
        if not typer.confirm("Remove all of this?", err=True):
            raise InputError("nothing was removed: `ganflow prune --what` chooses groups")
    result = pruning.carry_out(plan)
    answer.give(result, pruned_lines(result), as_json)


def plan_lines(plan: "Plan") -> list[str]:
    """What would go, a table a group, and how many of what stay for which reason."""
    lines = []
    for group in _GROUPS.split(","):
        items = [item for item in plan.items if item.what == group]
        if items:
            rows = [(item.kind, item.name[:_SHOWN], human(item.bytes), item.why) for item in items]
            lines += [f"{group}: {_sum(items)}", *(f"  {line}" for line in table(rows, right={2})), ""]
    if not plan.items:
        lines += [f"nothing that is older than {plan.older_than:g} days may go", ""]
    else:
        lines += [f"together {_sum(plan.items)}", ""]
    counted: dict[str, int] = {}
    for stays in plan.stays:
        said = f"{stays.kind}: {stays.why}"
        counted[said] = counted.get(said, 0) + 1
    if counted:
        lines += ["stays", *(f"  {line}" for line in table([(str(n), said) for said, n in counted.items()], right={0}))]
    return lines


def pruned_lines(result: "Pruned") -> list[str]:
    """What was removed, by group, and what was not after all."""
    lines = []
    for group in _GROUPS.split(","):
        items = [item for item in result.removed if item.what == group]
        if items:
            lines.append(f"{group}: {_sum(items)}")
    lines.append(f"removed {_sum(result.removed)}")
    lines += [f"left {each.kind} {each.name}: {each.why}" for each in result.skipped]
    return lines


def human(count: int) -> str:
    """Bytes in the largest unit in which they are one or more."""
    size, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def _sum(items: "Iterable[Item]") -> str:
    items = list(items)
    freed = sum(item.bytes for item in items if item.freed)
    marked = sum(item.bytes for item in items if not item.freed)
    later = (
        f", and {human(marked)} that MLflow's server keeps, where they are marked as deleted: its owner frees them "
        "with `ganflow prune` in its home, or `mlflow gc`"
    )
    return f"{counted(len(items), 'thing')}, {human(freed)}{later if marked else ''}"
