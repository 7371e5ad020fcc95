"""Changes of tables that leave them tables: of comma separated texts, and of Parquet files with other types."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from fuzzing.damage import PIECES
from fuzzing.trees import NUMBERS

_PLACE = st.integers(0, 1000)
CELL_EDITS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "row twice", "cell twice", "no row"]),
        _PLACE,
        _PLACE,
        st.sampled_from([*PIECES, *map(str, NUMBERS)]) | st.text(max_size=20),
    ),
    min_size=1,
    max_size=4,
)


def edited_csv(data, edits):
    """Return a table of commas or tabs with other cells and rows."""
    text = data.decode()
    delimiter = "\t" if "\t" in text else ","
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    for what, row, column, cell in edits:
        if not rows:
            break
        at = row % len(rows)
        if what == "row twice":
            rows.insert(at, list(rows[at]))
        elif what == "no row":
            del rows[at]
        elif rows[at]:
            place = column % len(rows[at])
            rows[at][place : place + (what != "cell twice")] = [] if what == "drop" else [cell]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, escapechar="\\").writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def _arrays(count):
    """Columns that nobody expects, by what they are."""
    ids = pa.array([index % 2 for index in range(count)], pa.int32())
    return {
        "null": pa.nulls(count),
        "nulls of bytes": pa.nulls(count, pa.binary()),
        "nulls of numbers": pa.nulls(count, pa.int64()),
        "negative": pa.array([-7] * count, pa.int64()),
        "largest": pa.array([2**63 - 1] * count, pa.int64()),
        "unsigned": pa.array([2**64 - 1] * count, pa.uint64()),
        "nan": pa.array([float("nan"), float("inf")] * count, pa.float64())[:count],
        "half": pa.array([0.5] * count, pa.float32()),
        "bool": pa.array([True] * count),
        "empty bytes": pa.array([b""] * count, pa.binary()),
        "bytes": pa.array([b"\xff\xfe\0"] * count, pa.large_binary()),
        "fixed bytes": pa.array([b"1234"] * count, pa.binary(4)),
        "text": pa.array(["../\u202e\0"] * count, pa.string()),
        "broken text": pa.Array.from_buffers(pa.string(), count, pa.array([b"\xff"] * count, pa.binary()).buffers()),
        "hex": pa.array(["ab" * 32] * count, pa.large_string()),
        "list": pa.array([[1, 2]] * count),
        "struct": pa.array(
            [{"bytes": None, "path": "x"}] * count, pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        ),
        "struct of numbers": pa.array([{"bytes": 1}] * count),
        "dictionary": pa.DictionaryArray.from_arrays(ids, pa.array(["a", "b"])),
        "dictionary of bytes": pa.DictionaryArray.from_arrays(ids, pa.array([b"", b"x"])),
        "time": pa.array([2**62] * count, pa.timestamp("us")),
        "decimal": pa.array([None] * count, pa.decimal128(38, 9)),
        "map": pa.array([[("a", 1)]] * count, pa.map_(pa.string(), pa.int64())),
    }


_KINDS = sorted(_arrays(1))
_NAMES = st.sampled_from(["image", "label", "sha256", "bytes", "x", ""])
COLUMN_EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _PLACE, st.sampled_from(_KINDS)),
        st.tuples(st.just("drop"), _PLACE, st.none()),
        st.tuples(st.just("rename"), _PLACE, st.sampled_from(PIECES) | _NAMES),
        st.tuples(
            st.just("add"), _PLACE, st.tuples(st.sampled_from(["image", "label", "x", ""]), st.sampled_from(_KINDS))
        ),
        st.tuples(st.just("metadata"), _PLACE, st.sampled_from(PIECES)),
        st.tuples(st.just("rows"), _PLACE, st.integers(0, 3)),
    ),
    min_size=1,
    max_size=4,
)


def edited_parquet(data, edits):
    """Return a Parquet file with other columns; the one that was there where Parquet cannot hold these."""
    table = pq.read_table(io.BytesIO(data))
    try:
        for what, place, how in edits:
            table = _edited(table, what, place, how)
        out = io.BytesIO()
        pq.write_table(table, out)
    except (pa.ArrowException, UnicodeEncodeError):
        return data
    return out.getvalue()


def _edited(table, what, place, how):
    names = table.column_names
    at = place % len(names) if names else 0
    if what == "add":
        return table.append_column(how[0], _arrays(len(table))[how[1]])
    if what == "rows":
        return table.slice(0, how)
    if what == "metadata":
        return table.replace_schema_metadata({"huggingface": how.encode("utf-8", "surrogatepass")})
    if not names:
        return table
    if what == "put":
        return table.set_column(at, names[at], _arrays(len(table))[how])
    if what == "rename":
        return table.rename_columns([*names[:at], how, *names[at + 1 :]])
    return table.remove_column(at)
