"""A table of texts on a terminal."""

from collections.abc import Sequence

from gan.text.shown import inert


def table(rows: Sequence[Sequence[str]], right: set[int]) -> list[str]:
    """Return the rows as lines whose columns stand below each other.

    Args:
        rows: texts from anywhere, the first row being the heads.
        right: numbers of the columns that hold numbers.
    """
    rows = [list(map(inert, row)) for row in rows]  # before they are counted
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
