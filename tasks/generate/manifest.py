"""What a release says of itself: its manifest, and whether its files are as that says."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from gan.configuration.vocabulary import ReleaseFormat
from gan.data.files.digest import file_sha256
from gan.data.store.dataset import MANIFEST, UNLABELLED_NAME
from gan.data.store.shards import read_split, split_rows
from gan.errors import DatasetError, ReleaseError
from gan.release.formats.table import format_named
from tasks.generate.partial import ShardRecord
from tasks.generate.signature import SIGNATURE

FORMAT_VERSION = 2
EXACT_COPIES, NEAR_COPIES = "exact_copies_of_training_images", "near_copies_of_training_images"
_AGAIN = "remove the folder and generate the release again"
_MOST_PIXELS = 2**28  # of an image


def counts_by_class(quotas: Sequence[int], class_names: Sequence[str]) -> dict[str, int]:
    """Return images by class name."""
    return dict(zip(class_names or (UNLABELLED_NAME,), quotas, strict=True))


def selection_facts(
    records: Iterable[ShardRecord], class_names: Sequence[str], described: Mapping[str, object]
) -> dict[str, Any]:
    """Return what was drawn for a release, what of it was rejected and why, and the share that was kept."""
    asked: Counter[int] = Counter()
    rejected: dict[str, Counter[int]] = {}
    kept, most = 0, 0
    for record in records:
        asked.update(record.asked)
        for reason, by_label in record.rejected.items():
            rejected.setdefault(reason, Counter()).update(by_label)
        kept, most = kept + len(record.attempts), max(most, int(record.attempts.max()) + 1)
    total = sum(asked.values())

    def named(by_label: Counter[int]) -> dict[str, int]:
        return {class_names[label] if label >= 0 else UNLABELLED_NAME: by_label[label] for label in sorted(by_label)}

    return {
        **described,
        "asked": total,
        "kept": kept,
        "yield": round(kept / total, 6),
        "asked_by_class": named(asked),
        "rejected": {reason: named(by_label) for reason, by_label in sorted(rejected.items())},
        "most_attempts": most,
    }


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write it, for people to read as well."""
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")


def require_files(folder: Path, files: Mapping[str, Any]) -> None:
    """Check that a release's folder holds its files, each with its sha256, and no others.

    Raises:
        ReleaseError: a file is missing, extra or changed.
    """
    wrong = sorted(files_in(folder) - {MANIFEST, SIGNATURE} ^ set(files))
    for name in wrong or files:
        if wrong or file_sha256(folder / name) != files[name]:
            raise ReleaseError(f"{folder / name} is not as {MANIFEST} says: {_AGAIN}")


def verify_release(folder: Path) -> dict[str, Any]:
    """Check every file against the manifest, decode every image, and return the manifest.

    Raises:
        ReleaseError: a file is missing, extra or changed, or the rows are not as many as it says.
        DatasetError: a shard is broken.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        files, generation = dict(manifest["files"].items()), manifest["generation"]
        count = generation["num_images"]
        # What `build_release` compares; a manifest that lacks any of it is none of ours.
        manifest["model"]["version"], generation["first_seed"], generation["batch_size"]
        name = generation.get("format", "parquet")
        if name not in get_args(ReleaseFormat):
            raise ValueError(name)
        shape = () if name == "parquet" else _shape(manifest["image"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReleaseError(f"{folder} has no readable {MANIFEST}: {_AGAIN}") from None
    require_files(folder, files)
    decoded = _decoded(folder, cast(ReleaseFormat, name), shape)
    if decoded != count:
        raise ReleaseError(f"{folder} has {decoded} images but {MANIFEST} says {count}: generate the release again")
    return manifest


def _decoded(folder: Path, name: ReleaseFormat, shape: tuple[int, ...]) -> int:
    if name == "parquet":  # where the sha256 of its pixels lies beside each image
        decoded = sum(len(labels) for _, labels in read_split(folder, "train"))
        return decoded if decoded == split_rows(folder, "train") else -1
    form, decoded = format_named(name), 0
    for path in form.shards(folder):
        for row in form.rows(path):
            try:
                form.pixels(row.payload, cast(tuple[int, int, int], shape))
            except ValueError as error:
                raise DatasetError(f"{path} is broken ({error}): generate the release again") from None
            decoded += 1
    return decoded


def _shape(image: Mapping[str, Any]) -> tuple[int, int, int]:
    shape = image["height"], image["width"], image["channels"]
    if not all(type(side) is int and side > 0 for side in shape) or np.prod(shape, dtype=object) > _MOST_PIXELS:
        raise ValueError("no size of an image")
    return shape


def files_in(folder: Path) -> set[str]:
    """Return the paths of all in a release's folder that is no folder; a link to one is listed and not followed."""
    found = set()
    for top, folders, files in os.walk(folder):
        links = [name for name in folders if Path(top, name).is_symlink()]
        found |= {Path(top, name).relative_to(folder).as_posix() for name in (*files, *links)}
    return found
