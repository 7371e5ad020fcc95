"""Images as Parquet shards that `datasets.load_dataset("parquet", data_dir=...)` shows as pictures."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gan.data.pixels.png import decode_png, encode_pngs
from gan.data.store.arrow import to_arrow
from gan.errors import DatasetError
from gan.text.shown import reason_of

SHARD_ROWS = 10_000
_SHARD_BYTES = 2**30
# A row group is what a reader holds decoded at once, and what a viewer loads to show one page.
_GROUP_ROWS = 1000
_GROUP_BYTES = 2**26
_IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_NAME = re.compile(r"[a-z]+-\d{5,}-of-\d{5,}\.[a-z]+")


def write_shards(
    folder: Path,
    split: str,
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    labels: Sequence[int] | NDArray[np.int64],
    *,
    class_names: Sequence[str] = (),
    extra: Mapping[str, Sequence[int] | NDArray[np.int64]] | None = None,
    shard_rows: int = SHARD_ROWS,
) -> list[Path]:
    """Write one split as `split-00000-of-00003.parquet` and so on, equal input giving equal bytes.

    A shard's bytes depend on its own rows alone, so shards that are full stay as they are when images are added.

    Args:
        folder: an existing folder without shards of that split.
        split: `train` or `test`.
        images: `[N, H, W, C]` uint8, or N arrays of one shape `[H, W, C]`; N at least 1.
        labels: N numbers, -1 for none.
        class_names: names by label; none where images have no labels.
        extra: further int64 columns of N numbers, such as `seed`.
        shard_rows: images in a full shard; fewer where they are so large that it would pass 1 GiB decoded.

    Returns:
        The files, in order.
    """
    assert len(images) == len(labels) > 0
    numbers = {"label": labels, **(extra or {})}
    schema = dataset_schema(class_names, list(extra or {}))
    shard_rows = rows_of_shard(images[0].nbytes, shard_rows)
    group_rows = rows_of_group(images[0].nbytes)
    count = -(-len(images) // shard_rows)
    paths = []
    for index in range(count):
        start, stop = index * shard_rows, min((index + 1) * shard_rows, len(images))
        groups = (slice(at, min(at + group_rows, stop)) for at in range(start, stop, group_rows))
        paths.append(folder / shard_name(split, index, count))
        tables = (
            _encoded(images[group], {name: values[group] for name, values in numbers.items()}, schema)
            for group in groups
        )
        write_shard(paths[-1], tables, schema)
    return paths


def shard_name(split: str, index: int, count: int, suffix: str = "parquet") -> str:
    """Return the name of a split's shard number `index` of `count`."""
    return f"{split}-{index:05d}-of-{count:05d}.{suffix}"


def rows_of_shard(image_bytes: int, most: int = SHARD_ROWS) -> int:
    """Return how many images of that many bytes, decoded, make a full shard."""
    return _rows_within(_SHARD_BYTES, image_bytes, most)


def rows_of_group(image_bytes: int) -> int:
    """Return how many images of that many bytes, decoded, make a row group."""
    return _rows_within(_GROUP_BYTES, image_bytes, _GROUP_ROWS)


def read_digests(path: Path) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """Read what tells the images of one shard apart, without decoding them.

    Returns:
        `[n]` S32, the sha256 of their pixels, and `[n]` int64 labels.

    Raises:
        DatasetError: the shard is missing or broken.
    """
    digests, labels = [], []
    for group in read_groups(path, ["sha256", "label"]):
        try:
            digests += [bytes.fromhex(text) for text in group.column("sha256").to_pylist()]
            labels.append(group.column("label").to_numpy().astype(np.int64))
        except Exception as error:  # columns of other types
            raise _broken(path, error) from None
    return np.array(digests, "S32"), np.concatenate(labels) if labels else np.empty(0, np.int64)


def shard_schema(path: Path) -> pa.Schema:
    """Return a shard's schema.

    Raises:
        DatasetError: the shard is missing or broken.
    """
    with _open(path) as file:
        return file.schema_arrow


def dataset_schema(class_names: Sequence[str], extra: Sequence[str] = ()) -> pa.Schema:
    """Return the schema of shards, with the metadata by which `datasets` shows pictures and class names."""
    number = {"dtype": "int64", "_type": "Value"}
    # ClassLabel refuses -1, so images without labels carry a plain number.
    label = {"names": list(class_names), "_type": "ClassLabel"} if class_names else number
    features = {"image": {"_type": "Image"}, "label": label, "sha256": {"dtype": "string", "_type": "Value"}}
    features |= dict.fromkeys(extra, number)
    fields = [("image", _IMAGE_TYPE), ("label", pa.int64()), ("sha256", pa.string())]
    schema = pa.schema(fields + [(name, pa.int64()) for name in extra])
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}}, sort_keys=True)})


def write_shard(path: Path | BinaryIO, groups: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write one shard from tables that become its row groups; its bytes depend on them and the schema alone.

    Args:
        path: the file, by name or open.
        groups: tables of that schema.
        schema: from `dataset_schema`.
    """
    with pq.ParquetWriter(
        path, schema, version="2.6", compression="none", use_dictionary=False, write_statistics=False
    ) as writer:
        for table in groups:
            writer.write_table(table, row_group_size=max(1, len(table)))


def row_group(
    pngs: Sequence[bytes], digests: Sequence[bytes], numbers: Mapping[str, Any], schema: pa.Schema
) -> pa.Table:
    """Put encoded images, their digests and the columns of numbers together as a table of `dataset_schema`."""
    texts = [digest.hex() for digest in digests]
    names = [f"{text[:16]}.png" for text in texts]
    pictures = [to_arrow(pngs, pa.binary()), to_arrow(names, pa.string())]
    columns: dict[str, pa.Array] = {
        "image": pa.StructArray.from_arrays(pictures, fields=list(_IMAGE_TYPE)),
        "sha256": to_arrow(texts, pa.string()),
    }
    columns |= {name: to_arrow(values, pa.int64()) for name, values in numbers.items()}
    return pa.table([columns[name] for name in schema.names], schema)


def split_rows(folder: Path, split: str) -> int:
    """Return how many images a split has, from the shards' footers.

    Raises:
        DatasetError: the split or one of its shards is missing or broken.
    """
    return sum(rows_of_file(path) for path in shard_paths(folder, split))


def rows_of_file(path: Path) -> int:
    """Return how many images one shard has, from its footer.

    Raises:
        DatasetError: it is missing or broken.
    """
    with _open(path) as file:
        rows: int = file.metadata.num_rows
    return rows


def read_split(folder: Path, split: str) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Decode a split, at most 1,000 images or 64 MiB at a time, and check each image against its `sha256`.

    Yields:
        `[n, H, W, C]` uint8 images and `[n]` int64 labels.

    Raises:
        DatasetError: the split or one of its shards is missing or broken.
    """
    shape: tuple[int, int, int] | None = None
    for path in shard_paths(folder, split):
        for group in read_groups(path, ["image", "label", "sha256"]):
            try:
                encoded = [image["bytes"] for image in group.column("image").to_pylist()]
                if shape is None:
                    shape = _shape(encoded[0])
                images = np.stack([decode_png(data, shape) for data in encoded])
                labels = np.array(group.column("label"), dtype=np.int64)
                digests = group.column("sha256").to_pylist()
            except Exception as error:  # columns of other types
                raise _broken(path, error) from None
            if [hashlib.sha256(image.tobytes()).hexdigest() for image in images] != digests:
                raise _broken(path, "an image does not have the sha256 beside it")
            yield images, labels


def read_column(folder: Path, split: str, name: str) -> list[Any]:
    """Return one column of a split without decoding images, such as `sha256`, `label` or `seed`.

    Raises:
        DatasetError: the split or one of its shards is missing or broken, or there is no such column.
    """
    values = []
    for path in shard_paths(folder, split):
        for group in read_groups(path, [name]):
            try:
                values += group.column(name).to_pylist()
            except Exception as error:  # a text that is none, a date before there were dates
                raise _broken(path, error) from None
    return values


def shard_paths(folder: Path, split: str, suffix: str = "parquet") -> list[Path]:
    """Return the shards of a split, in order.

    Raises:
        DatasetError: there are none, or one is missing.
    """
    again = "run `ganflow ingest` to make the dataset again" if suffix == "parquet" else "generate the release again"
    paths = sorted(folder.glob(f"{split}-*.{suffix}"))
    if not paths:
        raise DatasetError(f"{folder} has no {split}-*.{suffix}: {again}")
    names = [_NAME.fullmatch(path.name) for path in paths]
    wanted = [shard_name(split, index, len(paths), suffix) for index in range(len(paths))]
    if not all(names) or [path.name for path in paths] != wanted:
        raise DatasetError(
            f"the {split} shards in {folder} are no complete set ({len(paths)} files, the first {paths[0].name}): "
            f"{again}"
        )
    return paths


def read_groups(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yield the row groups of one shard, with some of its columns.

    Raises:
        DatasetError: the shard is missing or broken, or has no such column, or two.
    """
    with _open(path) as file:
        names = file.schema_arrow.names
        if wrong := [name for name in columns if names.count(name) != 1]:
            raise _broken(path, f"it has {'two columns' if wrong[0] in names else 'no column'} {wrong[0]}")
        for index in range(file.num_row_groups):
            yield file.read_row_group(index, columns=columns)


def _encoded(images: Any, numbers: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    stack = np.stack(images) if isinstance(images, Sequence) else images
    digests = [hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in stack]
    return row_group(encode_pngs(stack), digests, numbers, schema)


@contextmanager
def _open(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except DatasetError:
        raise
    except Exception as error:  # on damaged files pyarrow raises nearly any type
        raise _broken(path, error) from None


def _rows_within(budget: int, image_bytes: int, most: int) -> int:
    return max(1, min(most, budget // image_bytes))


def _shape(data: bytes) -> tuple[int, int, int]:
    """Read (H, W, C) from the header of a PNG that `encode_png` made."""
    if len(data) < 33:
        raise ValueError("not a PNG image")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    return height, width, 3 if data[25] == 2 else 1


def _broken(path: Path, why: object) -> DatasetError:
    return DatasetError(f"{path} is broken ({reason_of(why)}): restore it with `dvc checkout --force` or ingest again")
