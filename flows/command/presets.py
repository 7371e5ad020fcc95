"""`ganflow presets`: what each preset is for and what it costs; it reads nothing and starts nothing."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from flows.command.console import Answer
from flows.command.options import Json
from gan.errors import ConfigError


def presets(
    name: Annotated[str | None, typer.Argument(help="Show this preset wholly.")] = None,
    keys: Annotated[bool, typer.Option("--keys", help="Show every key with its meaning and default.")] = False,
    as_json: Json = False,
) -> None:
    """List the presets with what they cost, show one of them, or the keys that --set knows."""
    terminal = sys.stdout.isatty()
    answer = Answer()
    from flows.command.preset_lines import changes, describe, preset_lines, table_lines
    from gan.configuration.config import Config
    from gan.configuration.presets import PRESETS, preset

    if keys:
        if name is not None:
            raise ConfigError(f"--keys lists the keys of all presets: leave it or «{name}» out")
        rows = dict(Config.keys_with_meaning())
        answer.give(rows, [f"{key:<28} {meaning}" for key, meaning in rows.items()], as_json)
    elif name is not None:
        described, changed = describe(name), changes(preset(name))
        tree = {"preset": name, **described.as_json(), "changes": [asdict(change) for change in changed]}
        answer.give(tree, preset_lines(described, changed), as_json)
    else:
        all_of_them = [describe(each) for each in PRESETS]
        tree = {each.name: each.as_json() for each in all_of_them}
        answer.give(tree, [] if as_json else table_lines(all_of_them, terminal=terminal), as_json)
