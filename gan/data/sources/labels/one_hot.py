"""Labels as a column, or a place in a list, per class, of which one is 1 and all others are 0."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from gan.errors import DatasetError

_VALUES = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


def class_of_vector(label: object) -> object:
    """Return the place of the 1 in a list of zeros and a one; anything else as it is."""
    if (
        isinstance(label, list)
        and len(label) > 1
        and all(value in (0, 1) and type(value) in {int, float} for value in label)
    ):
        return label.index(1) if sum(label) == 1 else label
    return label


def find_one_hot(
    columns: Sequence[str],
    cells: Sequence[Any],
    asked: tuple[str | None, str | None],
    paths: Sequence[str],
    labels: Collection[str],
) -> tuple[int, list[int]] | None:
    """Tell a table with a column per class by its names and its first row.

    Args:
        columns: their names.
        cells: of the first row.
        asked: the columns of paths and of labels, where somebody has named them.
        paths: names that a column of paths may have, earlier ones first.
        labels: names that a column of labels may have; beside one nothing is one-hot.

    Returns:
        The column of paths and those of the classes, or None.
    """
    names = [str(column).strip().lower() for column in columns]
    wanted = paths if asked[0] is None else [asked[0].strip().lower()]
    path = next((names.index(name) for name in wanted if name in names), None)
    classes = [at for at in range(len(names)) if at != path]
    if (
        path is None
        or len(cells) != len(names)
        or asked[1]
        or len(classes) < 2
        or set(names) & set(labels)
        or "" in names
    ):
        return None
    return (path, classes) if all(_value(cells[at]) is not None for at in classes) else None


def one_hot_rows(
    columns: Sequence[str], rows: Iterable[tuple[str, Sequence[Any]]], path: int, classes: Sequence[int]
) -> Iterator[tuple[str, object, object]]:
    """Yield where each row stands, its path, and the name of the one column that is 1; nothing where none is."""
    for where, cells in rows:
        values = [_value(cells[at]) for at in classes]
        if None in values or sum(value or 0 for value in values) > 1:
            raise DatasetError(
                f"{where}: not one class of {len(classes)}: write 1 in one column and 0 in the others, or name the "
                "column of labels with --label-column"
            )
        yield where, cells[path], columns[classes[values.index(1)]].strip() if 1 in values else ""


def _value(cell: object) -> int | None:
    return _VALUES.get(str(cell).strip().lower())
