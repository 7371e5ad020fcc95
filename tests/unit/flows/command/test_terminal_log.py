import logging
import sys

import pytest
from rich.console import Console
from rich.live import Live

from flows.command.terminal_log import TerminalHandler

RUN = "prefect.task_runs"


def show(name, level, **extra):
    record = logging.makeLogRecord({"name": name, "levelno": level, "msg": "said", **extra})
    TerminalHandler(stream=sys.stderr).handle(record)


@pytest.mark.parametrize(
    ("name", "level", "extra"),
    [
        (RUN, logging.WARNING, {}),
        ("prefect.flow_runs", logging.WARNING, {}),
        (RUN, logging.INFO, {"is_progress": True}),
    ],
)
def test_warnings_of_runs_and_progress_are_shown(capsys, name, level, extra):
    show(name, level, **extra)
    assert capsys.readouterr() == ("", "said\n")


def test_a_line_holds_nothing_that_a_terminal_obeys_and_no_secret(capsys):
    show(RUN, logging.WARNING, msg="%s\n", args=("a\x1b[2J\u202e of https://alice:hunter2@host/x",))
    assert capsys.readouterr().err == r"a\x1b[2J\u202e of https://host/x\n" + "\n"


@pytest.mark.parametrize(
    ("name", "level"),
    [(RUN, logging.INFO), (RUN, logging.ERROR), (RUN, logging.CRITICAL), ("alembic", logging.WARNING)],
)
def test_nothing_else_is(capsys, name, level):
    show(name, level)
    assert capsys.readouterr() == ("", "")


def test_a_line_stands_above_a_bar(capsys):
    console = Console(file=sys.stderr, force_terminal=True, color_system=None)
    with Live("bar", console=console, auto_refresh=False):
        show(RUN, logging.WARNING)
    written = capsys.readouterr().err
    assert "said\n" in written
    assert written.index("said") < written.rindex("bar")
