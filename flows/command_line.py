"""How a command line is written that goes on where another was stopped."""

import shlex
from collections.abc import Sequence


def command_line(verb: str, *words: str, preset: str, overrides: Sequence[str] = (), **options: object) -> str:
    """Return a command that can be typed as it stands.

    Args:
        verb: of `ganflow`.
        words: what follows it.
        preset: for `--preset`.
        overrides: each for a `--set`.
        options: further options by name; those that are None are left out.
    """
    given = [word for override in overrides for word in ("--set", override)]
    named = [
        word
        for name, value in options.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    return f"`{shlex.join(['ganflow', verb, *words, '--preset', preset, *given, *named])}`"
