"""Where the command begins: from here on Ctrl-C ends it as it should, also while all the rest is being imported."""

from tasks.runtime.interrupts import interruptible


def main() -> None:
    """Entry point of the command `ganflow`, and of `python -m flows`."""
    with interruptible():
        from flows.command.entry import main as command

        command()


if __name__ == "__main__":
    main()
