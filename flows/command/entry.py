"""Entry point of the command `ganflow`."""

import sys

from flows.command.console import errors_as_sentences
from flows.command.main import app
from gan.configuration.arguments import require_no_credentials


def main() -> None:
    """Run the verb that the command line names; an error ends the process with one sentence."""
    with errors_as_sentences():
        require_no_credentials(*sys.argv[1:])
        app()


if __name__ == "__main__":
    main()
