"""How verbs become a command of several: as plain text that needs nothing but typer to be shown."""

import inspect
from collections.abc import Callable, Iterable

import typer


def group(
    name: str, about: str, verbs: Iterable[Callable[..., None]], groups: Iterable[typer.Typer] = ()
) -> typer.Typer:
    """Return the command `name` with these functions as its verbs.

    Args:
        name: of the command.
        about: what it is for.
        verbs: functions whose annotations are options; the first line of a docstring stands in the list of verbs.
        groups: commands of several verbs that become verbs of this one.
    """
    subcommands = list(groups)
    app = typer.Typer(
        name=name,
        help=about,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # with rich, help takes twice as long
        # Typer would load pydantic only to read that `--help` was not given to the command itself.
        context_settings={"default_map": {"help": False, **{each.info.name: {"help": False} for each in subcommands}}},
    )
    for verb in verbs:
        line = (inspect.getdoc(verb) or "").partition("\n")[0]
        app.command(short_help=line)(verb)  # one that is given is shown whole, however long
    for each in subcommands:
        app.add_typer(each)
    return app
