"""Finished parts and a plan to shards."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gan.data.building.layout import Shard, lay_out
from gan.data.building.part_store import PartStore
from gan.data.building.plan import Plan
from gan.data.pixels.png import decode_png, encode_png
from gan.data.store.shards import dataset_schema, row_group, rows_of_group, rows_of_shard, shard_name, write_shard


def write_split(store: PartStore, plan: Plan, split: str, out: Path, resolution: int, previous: Path | None) -> None:
    """Write the shards of a split, a row group at a time; what the earlier dataset has already is copied.

    Args:
        store: the finished parts.
        plan: which of their records belong to the split.
        split: `train` or `test`.
        out: the folder.
        resolution: side of the images.
        previous: folder of the earlier dataset.
    """
    schema = dataset_schema(plan.class_names)
    image_bytes = resolution * resolution * plan.channels
    records = plan.records(split)
    shards = lay_out(
        previous,
        split,
        records,
        plan.digests[records],
        plan.labels[records],
        schema=schema,
        most=rows_of_shard(image_bytes),
    )
    # where nothing is held out, whoever reads that split finds a shard without rows
    shards = shards or [Shard(records)]
    step = rows_of_group(image_bytes)
    for index, shard in enumerate(shards):
        path = out / shard_name(split, index, len(shards))
        if shard.same_as:
            shutil.copyfile(shard.same_as, path)
            continue
        runs = (shard.records[at : at + step] for at in range(0, len(shard.records), step))
        write_shard(path, _row_groups(store, plan, runs, resolution, schema), schema)


def _row_groups(
    store: PartStore, plan: Plan, runs: Iterable[NDArray[np.int64]], resolution: int, schema: pa.Schema
) -> Iterator[pa.Table]:
    for records in runs:
        pngs = images_of(store, plan, records, resolution)
        # As numpy's S32 they would lose zeros at the end.
        digests = [digest.ljust(32, b"\0") for digest in plan.digests[records].tolist()]
        yield row_group(pngs, digests, {"label": plan.labels[records]}, schema)


def images_of(store: PartStore, plan: Plan, records: NDArray[np.int64], resolution: int) -> list[bytes]:
    """Return some records' images as PNG, with the dataset's channels."""
    encoded: list[bytes] = store.values("png", records)
    for place, channels in enumerate(store.values("channels", records)):
        if channels != plan.channels:  # a grey image among coloured ones
            image = decode_png(encoded[place], (resolution, resolution, 1))
            encoded[place] = encode_png(image.repeat(3, axis=2))
    return encoded
