"""Entry point of the command `ganflow`."""

from flows.command.main import app
from flows.console import errors_as_sentences


def main() -> None:
    """Run the verb that the command line names; an error ends the process with one sentence."""
    with errors_as_sentences():
        app()


if __name__ == "__main__":
    main()
