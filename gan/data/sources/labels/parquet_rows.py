"""The rows of a Parquet file that lies beside images and says something of them, as `metadata.parquet` does."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gan.data.files.blob import UnreadableError
from gan.data.sources.parquet.file import read_groups
from gan.errors import DatasetError
from gan.text.shown import reason_of

_MOST_VALUES = 50_000_000
_MOST_LETTERS = 4096  # of a path or a class; longer texts say something else
_MOST_LIST = 100_000  # columns, or row groups; Thrift would believe any number
_ROWS_AT_ONCE = 256  # a dictionary may make a small file's texts large


def parquet_cells(name: str, data: bytes) -> Iterator[tuple[str, list[Any]]]:
    """Yield the names of the columns that hold single values, then each row of them; long texts are cut.

    Raises:
        DatasetError: it is broken, or larger than labels are.
    """
    try:
        file = pq.ParquetFile(BytesIO(data), thrift_container_size_limit=_MOST_LIST)
        rows = sum(group.rows for group in read_groups(file, len(data), name))
        columns = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
    except DatasetError:
        raise
    except Exception as error:  # on hostile files pyarrow raises nearly any type
        raise _broken(name, error) from None
    if rows * len(columns) > _MOST_VALUES:
        raise DatasetError(f"{name} holds more than {_MOST_VALUES:,} values: leave all but paths and labels out")
    yield f"{name}, its columns", columns
    number = 0
    try:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield f"{name}, row {number}", [_cut(cell) for cell in row]
    except DatasetError:
        raise
    except Exception as error:
        raise _broken(name, error) from None


def _cut(cell: object) -> object:
    return cell[:_MOST_LETTERS] if isinstance(cell, str | bytes) else cell


def _broken(name: str, error: Exception) -> DatasetError:
    reason = f"{error.reason}: {error.detail}" if isinstance(error, UnreadableError) else reason_of(error, 120)
    return DatasetError(f"{name} is no Parquet file that can be read ({reason}): write it again, or as CSV")
