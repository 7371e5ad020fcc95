"""Images as Parquet shards that `datasets.load_dataset("parquet", data_dir=...)` shows as pictures."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gan.data.png import decode_png, encode_png
from gan.errors import DatasetError

SHARD_ROWS = 10_000
_SHARD_BYTES = 2**30
# A row group is what a reader holds decoded at once, and what a viewer loads to show one page.
_GROUP_ROWS = 1000
_GROUP_BYTES = 2**26
_IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_NAME = re.compile(r"(?P<split>[a-z]+)-(?P<index>\d{5,})-of-(?P<count>\d{5,})\.parquet")


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
    extra = extra or {}
    schema = _schema(class_names, list(extra))
    shard_rows = _rows_within(_SHARD_BYTES, images[0].nbytes, shard_rows)
    group_rows = _rows_within(_GROUP_BYTES, images[0].nbytes, _GROUP_ROWS)
    count = -(-len(images) // shard_rows)
    paths = []
    for index in range(count):
        rows = slice(index * shard_rows, (index + 1) * shard_rows)
        path = folder / f"{split}-{index:05d}-of-{count:05d}.parquet"
        with pq.ParquetWriter(
            path, schema, version="2.6", compression="none", use_dictionary=False, write_statistics=False
        ) as writer:
            for start in range(rows.start, min(rows.stop, len(images)), group_rows):
                group = slice(start, min(start + group_rows, rows.stop))
                numbers = {name: values[group] for name, values in {"label": labels, **extra}.items()}
                writer.write_table(_table(images[group], numbers, schema))
        paths.append(path)
    return paths


def split_rows(folder: Path, split: str) -> int:
    """Return how many images a split has, from the shards' footers.

    Raises:
        DatasetError: the split or one of its shards is missing or broken.
    """
    total = 0
    for path in _shard_paths(folder, split):
        with _open(path) as file:
            total += file.metadata.num_rows
    return total


def read_split(folder: Path, split: str) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Decode a split, at most 1,000 images or 64 MiB at a time, and check each image against its `sha256`.

    Yields:
        `[n, H, W, C]` uint8 images and `[n]` int64 labels.

    Raises:
        DatasetError: the split or one of its shards is missing or broken.
    """
    shape: tuple[int, int, int] | None = None
    for path in _shard_paths(folder, split):
        for group in _groups(path, ["image", "label", "sha256"]):
            try:
                encoded = [image["bytes"] for image in group.column("image").to_pylist()]
                if shape is None:
                    shape = _shape(encoded[0])
                images = np.stack([decode_png(data, shape) for data in encoded])
                labels = np.array(group.column("label"), dtype=np.int64)
                digests = group.column("sha256").to_pylist()
            except (ValueError, TypeError, KeyError, IndexError, pa.ArrowException) as error:
                raise _broken(path, error) from None
            if [hashlib.sha256(image.tobytes()).hexdigest() for image in images] != digests:
                raise _broken(path, "an image does not have the sha256 beside it")
            yield images, labels


def read_column(folder: Path, split: str, name: str) -> list[Any]:
    """Return one column of a split without decoding images, such as `sha256`, `label` or `seed`.

    Raises:
        DatasetError: the split or one of its shards is missing or broken, or there is no such column.
    """
    return [
        value
        for path in _shard_paths(folder, split)
        for group in _groups(path, [name])
        for value in group.column(name).to_pylist()
    ]


def _schema(class_names: Sequence[str], extra: Sequence[str]) -> pa.Schema:
    number = {"dtype": "int64", "_type": "Value"}
    # ClassLabel refuses -1, so images without labels carry a plain number.
    label = {"names": list(class_names), "_type": "ClassLabel"} if class_names else number
    features = {"image": {"_type": "Image"}, "label": label, "sha256": {"dtype": "string", "_type": "Value"}}
    features |= dict.fromkeys(extra, number)
    fields = [("image", _IMAGE_TYPE), ("label", pa.int64()), ("sha256", pa.string())]
    schema = pa.schema(fields + [(name, pa.int64()) for name in extra])
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}}, sort_keys=True)})


def _table(images: Any, numbers: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    pictures = [
        {"bytes": encode_png(image), "path": f"{digest[:16]}.png"}
        for image, digest in zip(images, digests, strict=True)
    ]
    columns: dict[str, Any] = {"image": pictures, "sha256": digests}
    columns |= {name: np.asarray(values, dtype=np.int64) for name, values in numbers.items()}
    return pa.table({name: pa.array(columns[name], type=schema.field(name).type) for name in schema.names}, schema)


def _shard_paths(folder: Path, split: str) -> list[Path]:
    paths = sorted(folder.glob(f"{split}-*.parquet"))
    if not paths:
        raise DatasetError(f"{folder} has no {split}-*.parquet: run `ganflow ingest` to make the dataset again")
    names = [_NAME.fullmatch(path.name) for path in paths]
    wanted = [f"{split}-{index:05d}-of-{len(paths):05d}.parquet" for index in range(len(paths))]
    if not all(names) or [path.name for path in paths] != wanted:
        raise DatasetError(
            f"the {split} shards in {folder} are no complete set ({len(paths)} files, the first {paths[0].name}): "
            "run `ganflow ingest` to make the dataset again"
        )
    return paths


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _broken(path, error) from None


def _groups(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    with _open(path) as file:
        if missing := [name for name in columns if name not in file.schema_arrow.names]:
            raise _broken(path, f"it has no column {missing[0]}")
        for index in range(file.num_row_groups):
            try:
                group = file.read_row_group(index, columns=columns)
            except (OSError, ValueError, pa.ArrowException) as error:
                raise _broken(path, error) from None
            yield group


def _rows_within(budget: int, image_bytes: int, most: int) -> int:
    return max(1, min(most, budget // image_bytes))


def _shape(data: bytes) -> tuple[int, int, int]:
    """Read (H, W, C) from the header of a PNG that `encode_png` made."""
    if len(data) < 33:
        raise ValueError("not a PNG image")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    return height, width, 3 if data[25] == 2 else 1


def _broken(path: Path, why: object) -> DatasetError:
    detail = " ".join(str(why).split())[:200].rstrip(".:")
    return DatasetError(f"{path} is broken ({detail}): restore it with `dvc checkout --force` or ingest again")
