"""How many images of each class a release holds; all sums are exact."""

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gan.errors import ReleaseError

_COLUMNS = ["class", "count"]
_COUNT = re.compile(r"\d{1,12}", re.ASCII)
_MOST_BYTES = 2**24


def equal_quotas(total: int, classes: int) -> list[int]:
    """Spread `total` images over `classes` classes so that no two differ by more than one; the first have one more."""
    each, more = divmod(total, classes)
    return [each + (label < more) for label in range(classes)]


def real_quotas(total: int, counts: Sequence[int]) -> list[int]:
    """Share `total` images out in the proportions of a dataset, by the largest remainder; of equal ones the first wins.

    Args:
        total: images of the release.
        counts: images of each class in the dataset, not all of them 0.
    """
    images = sum(counts)
    shares = [divmod(total * count, images) for count in counts]  # whole numbers: no rounding can lose an image
    quotas = [whole for whole, _ in shares]
    by_remainder = sorted(range(len(counts)), key=lambda label: (-shares[label][1], label))
    for label in by_remainder[: total - sum(quotas)]:
        quotas[label] += 1
    return quotas


def filling_quotas(fill: int, counts: Sequence[int]) -> list[int]:
    """Return what each class lacks of `fill` images; none where it has as many.

    Args:
        fill: images that each class shall have together with the release.
        counts: images of each class in the dataset.
    """
    return [max(0, fill - count) for count in counts]


def quotas_by_name(quotas: Mapping[str, int], class_names: Sequence[str]) -> list[int]:
    """Return quotas by label from quotas by name; classes that are not named get none.

    Raises:
        ReleaseError: a name is no class of the model.
    """
    for name in quotas:
        if name not in class_names:
            raise _unknown(f"release.quotas names «{name}»", class_names)
    return [quotas.get(name, 0) for name in class_names]


def read_quotas(path: Path, class_names: Sequence[str]) -> dict[str, int]:
    """Read a CSV file with the columns `class` and `count`, a class a line.

    Args:
        path: the file, UTF-8.
        class_names: the model's classes.

    Returns:
        Images by class, of those that the file names.

    Raises:
        ReleaseError: the file cannot be read, a line is malformed, names a class twice or one that the model does not
            know, or no image is asked for.
    """
    quotas: dict[str, int] = {}
    rows = csv.reader(io.StringIO(_text_of(path)), strict=True)
    header: list[str] | None = None
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            where = f"{path}, line {rows.line_num}"
            if header is None:
                header = cells
                if header != _COLUMNS:
                    raise ReleaseError(f"{where}: {_short(','.join(header))} stands where class,count should")
                continue
            name, count = _parsed(cells, where)
            if name not in class_names:
                raise _unknown(f"{where} names «{_short(name)}»", class_names)
            if name in quotas:
                raise ReleaseError(f"{where} names «{_short(name)}» a second time: give each class one line")
            quotas[name] = count
    except csv.Error as error:
        raise ReleaseError(f"{path}, line {rows.line_num} is no CSV ({error}): write it as class,count") from None
    if not any(quotas.values()):
        raise ReleaseError(f"{path} asks for no image: give the lines class,count and then a class and a number each")
    return quotas


def _parsed(cells: Sequence[str], where: str) -> tuple[str, int]:
    if len(cells) != len(_COLUMNS):
        raise ReleaseError(f"{where} has {len(cells)} columns, not 2: write it as class,count, with quotes if need be")
    name, count = cells
    if not _COUNT.fullmatch(count):
        raise ReleaseError(f"{where}: «{_short(count)}» is no number of images: give 0 or more in digits")
    return name, int(count)


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ReleaseError(
            f"{path} cannot be read ({os.strerror(error.errno or 0)}): give --balance equal, real, or a CSV file of "
            "quotas"
        ) from None
    if len(data) > _MOST_BYTES:
        raise ReleaseError(f"{path} is too large for a file of quotas: give a CSV file with a line a class")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ReleaseError(f"{path} is no text in UTF-8: save the quotas as such") from None


def _unknown(who: str, class_names: Sequence[str]) -> ReleaseError:
    known = ", ".join(class_names[:10]) + (", …" if len(class_names) > 10 else "")
    has = f"its classes are {known}" if class_names else "it has no classes"
    return ReleaseError(f"{who}, which the model does not know: {has}")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
