"""What of the logs a terminal shows; the API, and so the Prefect page, gets every line."""

import logging
import sys

from prefect.logging.handlers import PrefectConsoleHandler

from gan.text.shown import shown

RUN_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


class TerminalHandler(PrefectConsoleHandler):
    """Writes to standard error what runs warn of and, where no bar can show it, how far their long work is.

    Of errors it writes nothing: Prefect's record of one holds a traceback, and `flows.command.console` prints it as a
    sentence.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record that is for the terminal as a line, and drop any other."""
        warns = record.levelno == logging.WARNING and record.name in RUN_LOGGERS
        if warns or getattr(record, "is_progress", False):
            # Not to the handler's own stream: a progress bar puts itself in the place of standard error.
            sys.stderr.write(shown(self.format(record)) + "\n")
