"""The images of any version of the dataset as digests and places, read from DVC's cache without decoding them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gan.data.store.dataset import INFO_FILE, UNLABELLED_NAME
from gan.errors import DatasetError
from tasks.dataset.session import broken_object

_SHARD = re.compile(r"(train|test)-\d+-of-\d+\.parquet")
Place = tuple[str, str]  # (split, class name)


@dataclass(frozen=True)
class VersionImages:
    """A version's `dataset.json`, and for each image its sha256 as [n, 4] uint64 and the number of its place, [n]."""

    md5: str
    info: dict[str, Any]
    digests: NDArray[np.uint64]
    places: NDArray[np.int64]


def read_version(md5: str, files: dict[str, Path], places: dict[Place, int]) -> VersionImages:
    """Read a version's digests and labels; places that are not in `places` yet get the next numbers there.

    Raises:
        DatasetError: a file of the version is missing or broken.
    """
    info = read_info(md5, files)
    digests, numbers = [np.empty((0, 4), np.uint64)], [np.empty(0, np.int64)]
    for name, path in files.items():
        if (shard := _SHARD.fullmatch(name)) is None:
            continue
        names = (*info.get("class_names", ()), UNLABELLED_NAME)
        # Label -1, for none, finds the last.
        by_label = np.array([places.setdefault((shard[1], known), len(places)) for known in names])
        try:
            with pq.ParquetFile(path) as file:
                for index in range(file.num_row_groups):
                    group = file.read_row_group(index, columns=["label", "sha256"])
                    labels = group.column("label").to_numpy()
                    if (labels < -1).any():
                        raise ValueError("a label is below -1")
                    joined = bytes.fromhex("".join(group.column("sha256").to_pylist()))
                    digests.append(np.frombuffer(joined, np.uint64).reshape(len(labels), 4))
                    numbers.append(by_label[labels])
        except Exception as error:  # on damaged files pyarrow raises nearly any type
            raise broken_object(md5, name, path, error) from None
    return VersionImages(md5, info, np.concatenate(digests), np.concatenate(numbers))


def read_info(md5: str, files: dict[str, Path]) -> dict[str, Any]:
    """Read a version's `dataset.json`, of whatever format.

    Raises:
        DatasetError: it is missing or broken.
    """
    if INFO_FILE not in files:
        raise DatasetError(f"version {md5} has no {INFO_FILE}, so it is no dataset of ganflow's: choose another")
    try:
        info = json.loads(files[INFO_FILE].read_bytes())
        if not isinstance(info, dict) or not all(isinstance(name, str) for name in info.get("class_names", ())):
            raise ValueError("it is no description of a dataset")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise broken_object(md5, INFO_FILE, files[INFO_FILE], error) from None
    return info
