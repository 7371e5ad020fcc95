"""The rows of a Parquet file that lies beside images and says something of them, as `metadata.parquet` does."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gan.errors import DatasetError
from gan.text.shown import reason_of

_MOST_VALUES = 50_000_000


def parquet_cells(name: str, data: bytes) -> Iterator[tuple[str, list[Any]]]:
    """Yield the names of the columns that hold single values, then each row of them.

    Raises:
        DatasetError: it is broken, or larger than labels are.
    """
    try:
        file = pq.ParquetFile(BytesIO(data), thrift_container_size_limit=100_000)
        columns = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
        too_large = file.metadata.num_rows * len(columns) > _MOST_VALUES
    except Exception as error:  # on hostile files pyarrow raises nearly any type
        raise DatasetError(f"{name} is no Parquet file that can be read ({reason_of(error, 120)})") from None
    if too_large:
        raise DatasetError(f"{name} holds more than {_MOST_VALUES:,} values: leave all but paths and labels out")
    yield f"{name}, its columns", columns
    number = 0
    try:
        for batch in file.iter_batches(columns=columns):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield f"{name}, row {number}", list(row)
    except Exception as error:
        raise DatasetError(f"{name} is broken behind row {number} ({reason_of(error, 120)})") from None
