"""`ganflow dataset`: the versions of the dataset, what one says, what changed between two, the way back to one."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.command.console import Answer, prepare
from flows.command.group import group
from flows.command.options import Json
from flows.command.table import table

if TYPE_CHECKING:
    from tasks.dataset.catalogue import CheckedOut, Described, Version
    from tasks.dataset.diff import VersionDiff

SHOWN = 12  # characters of an md5
_LONGEST_VALUE = 60
VERSION_HELP = "md5 of a version, at least 4 characters of its beginning, or `current`; see `ganflow dataset log`."


def log(as_json: Json = False) -> None:
    """List the versions, the newest first, `*` being the current one.

    Every ingest that changed something made one. A version without a date
    was made elsewhere: git brought its data.dvc, and its ingest is in the
    MLflow of the machine that made it.
    """
    answer = Answer()
    settings = prepare()
    from tasks.dataset.catalogue import versions

    found = versions(settings)
    answer.give({"versions": [version.model_dump(mode="json") for version in found]}, log_lines(found), as_json)


def show(
    version: Annotated[str, typer.Argument(metavar="MD5", help=VERSION_HELP)] = "current",
    as_json: Json = False,
) -> None:
    """Show what a version says of itself: images, licence, source, credit, settings.

    It is read in DVC's cache, and fetched from the default remote where it
    lacks it; nothing in data/ changes.
    """
    answer = Answer()
    settings = prepare()
    from tasks.dataset.catalogue import describe_version

    result = describe_version(settings, version)
    answer.give(result, show_lines(result), as_json)


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=VERSION_HELP)],
    after: Annotated[str, typer.Argument(metavar="B", help="The version to compare it with.")] = "current",
    as_json: Json = False,
) -> None:
    """Show what changed from version A to version B: images by class and split, and settings.

    Images are compared by their prepared pixels, so versions of different
    resolution or crop have hardly any in common. An image with another
    class is relabelled, one in the other split has moved; neither counts
    as added or removed. Nothing in data/ changes: the versions are read in
    DVC's cache, and fetched from the default remote where it lacks them.
    """
    answer = Answer()
    settings = prepare()
    from tasks.dataset.catalogue import diff_versions

    result = diff_versions(settings, before, after)
    answer.give(result, diff_lines(result), as_json)


def checkout(
    version: Annotated[str, typer.Argument(metavar="MD5", help=VERSION_HELP)],
    as_json: Json = False,
) -> None:
    """Make a version the current one: data/ and data.dvc become what they were.

    A version that DVC's cache lacks is fetched from the default remote.
    What was changed inside data/ by hand is lost. Runs that train already
    keep the version they began with, and none is started: `ganflow
    retrain` does that.
    """
    answer = Answer()
    settings = prepare()
    from tasks.dataset.catalogue import checkout as restore

    result = restore(settings, version)
    answer.give(result, checkout_lines(result), as_json)


app = group(
    "dataset", "List the versions of the dataset, show one, compare two, go back to one.", (log, show, diff, checkout)
)


def log_lines(found: "Sequence[Version]") -> list[str]:
    """A table of versions."""
    if not found:
        return ["no versions yet: `ganflow ingest digits` makes the first"]
    # A column of dashes would tell nobody anything.
    licences = ["licence"] if any(version.licence for version in found) else []
    rows = [("", "version", "first made", "train", "test", *licences, "source")]
    rows += [
        (
            "*" if version.current else "",
            version.md5[:SHOWN],
            version.first_made or "-",
            _number(version.num_train),
            _number(version.num_test),
            *(version.licence or "-" for _ in licences),
            version.source or "-",
        )
        for version in found
    ]
    return table(rows, right={3, 4})


def show_lines(result: "Described") -> list[str]:
    """A line a fact: what is said of the images as a whole first, unknown where nobody said it, then the settings."""
    info = result.info
    state = ", the current version" if result.current else ""
    known = {key: info.get(key) for key in ("name", "source_kind", "licence", "source_url", "credit", "description")}
    rest = {key: value for key, value in info.items() if key not in known}
    lines = [f"dataset           {result.md5}{state}, first made {result.first_made or 'elsewhere'}"]
    lines += [f"{key.replace('_', ' '):<17} {'unknown' if value is None else value}" for key, value in known.items()]
    return lines + [f"{key.replace('_', ' '):<17} {_value(value)}" for key, value in rest.items()]


def diff_lines(result: "VersionDiff") -> list[str]:
    """Changed settings, totals, a table by class, and what changed its class or split."""
    added, removed = ({split: sum(counts.values()) for split, counts in change.items()} for change in _changes(result))
    relabelled, moved = (sum(one.count for one in some) for some in (result.relabelled, result.moved))
    lines = [
        f"dataset     {result.before[:SHOWN]} → {result.after[:SHOWN]}: "
        f"{_change(sum(added.values()), sum(removed.values()))}, {relabelled} relabelled, {moved} moved, "
        f"{result.unchanged} unchanged"
    ]
    lines += [f"setting     {key}: {_value(old)} → {_value(new)}" for key, (old, new) in result.settings.items()]
    lines += [
        f"relabelled  {one.class_before} → {one.class_after}: {one.count} in {one.split_after}"
        for one in result.relabelled
    ]
    lines += [
        f"moved       {one.split_before} → {one.split_after}: {one.count} of {one.class_after}" for one in result.moved
    ]
    splits = list(result.added)
    classes = sorted({name for change in _changes(result) for split in splits for name in change[split]})
    if not classes:
        return lines
    rows = [("class", *splits)]
    rows += [
        (name, *(_change(result.added[split].get(name, 0), result.removed[split].get(name, 0)) for split in splits))
        for name in classes
    ]
    rows += [("total", *(_change(added[split], removed[split]) for split in splits))]
    return [*lines, *table(rows, right={1, 2})]


def checkout_lines(result: "CheckedOut") -> list[str]:
    """What is current now, and what to do next."""
    state = "now the current version" if result.changed else "the current version already, and data/ is as it says"
    return [
        f"dataset   {result.md5} is {state}: {result.num_train} train + {result.num_test} test",
        "          next: `ganflow retrain` to train on it",
    ]


def _changes(result: "VersionDiff") -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    return result.added, result.removed


def _change(added: int, removed: int) -> str:
    return f"+{added} −{removed}"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _value(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
