"""How a command line is written that goes on where another was stopped."""

import shlex

from gan.configuration.provenance import Provenance


def command_line(verb: str, *words: str, configuration: Provenance, **options: object) -> str:
    """Return a command that can be typed as it stands.

    Args:
        verb: of `ganflow`.
        words: what follows it.
        configuration: for `--preset`, unless it is what a run or model carries, and a `--set` for each change.
        options: further options by name; those that are None are left out.
    """
    preset = ["--preset", configuration.name] if configuration.origin == "preset" else []
    changes = [word for change in configuration.changes for word in ("--set", change)]
    named = [
        word
        for name, value in options.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    return f"`{shlex.join(['ganflow', verb, *words, *preset, *changes, *named])}`"
