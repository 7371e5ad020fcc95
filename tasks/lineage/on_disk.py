"""The releases of this home: what their manifests say, and single images in their shards."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from gan.configuration.vocabulary import ReleaseFormat
from gan.data.files.blob import UnreadableError
from gan.data.pixels.decode import decode_image
from gan.data.store.dataset import MANIFEST
from gan.data.store.shards import read_column, rows_of_file, shard_paths
from gan.errors import DatasetError, InputError
from gan.release.formats.table import format_named
from tasks.dataset.session import tracked_md5
from tasks.lineage.commands import image_command
from tasks.lineage.records import Image, Release
from tasks.runtime.settings import Settings

_MOST_BYTES = 2**28  # of an image file


def folders(settings: Settings) -> dict[str, Path]:
    """The folders of releases by name."""
    if not settings.synthetic_dir.is_dir():
        return {}
    found = sorted(path for path in settings.synthetic_dir.iterdir() if not path.name.startswith("."))
    return {path.name: path for path in found if (path / MANIFEST).is_file()}


def absent(settings: Settings) -> list[str]:
    """Names of the releases that DVC tracks here and whose folders are not here."""
    there = folders(settings)
    return sorted(path.stem for path in settings.synthetic_dir.glob("*.dvc") if path.stem not in there)


def described(settings: Settings, name: str) -> Release | None:
    """What a release says of itself; None where its folder is not here, or its manifest makes no sense."""
    path = folders(settings).get(name)
    if path is None:
        return None
    manifest = _manifest(path)
    model, generation = _tree(manifest, "model"), _tree(manifest, "generation")
    try:
        md5 = tracked_md5(path.with_name(f"{name}.dvc"))
    except DatasetError:
        md5 = None
    return Release(
        name=name,
        md5=md5,
        model=_of(model, "name", str),
        model_version=_of(model, "version", int),
        training_run=_of(model, "run_id", str),
        dataset_md5=_of(manifest, "dataset_md5", str),
        num_images=_of(generation, "num_images", int),
        first_seed=_of(generation, "first_seed", int),
        truncation=_of(generation, "truncation", float),
        here=True,
    )


def image_of_row(settings: Settings, name: str, row: int) -> Image:
    """One image of a release by its row.

    Raises:
        InputError: the release is not here, or has fewer images.
        DatasetError: a shard is broken.
    """
    table = _read_table(_require_folder(settings, name))
    if not 0 <= row < len(table.digests):
        raise InputError(
            f"release {name} has the rows 0 to {len(table.digests) - 1}, and no row {row}: give one of them"
        )
    return table.image(row)


def image_of_seed(settings: Settings, name: str, seed: int) -> Image:
    """One image of a release by its seed; errors as of `image_of_row`."""
    table = _read_table(_require_folder(settings, name))
    seeds = table.seeds
    if seed not in seeds:
        raise InputError(f"release {name} has no image with seed {seed}: its seeds are {min(seeds)} to {max(seeds)}")
    return table.image(seeds.index(seed))


def find_images(settings: Settings, file: Path) -> list[Image]:
    """The images of releases here that have the very pixels of a file.

    Raises:
        InputError: the file is no image.
        DatasetError: a shard is broken.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InputError(f"{file} is too large for an image: name one image of a release")
        pixels = decode_image(file.read_bytes())
    except (UnreadableError, OSError) as error:
        raise InputError(f"{file} is no image that can be read ({error}): name one image of a release") from None
    wanted = set(_digests(pixels))
    found = []
    for folder in folders(settings).values():
        table = _read_table(folder)
        found += [table.image(row) for row, digest in enumerate(table.digests) if digest in wanted]
    return found


def _digests(pixels: NDArray[np.uint8]) -> Iterator[str]:
    """As a shard has them; a release whose images are RGB may hold one that is grey."""
    yield hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
    if pixels.shape[2] == 1:
        yield hashlib.sha256(pixels.repeat(3, axis=2).data).hexdigest()


def _require_folder(settings: Settings, name: str) -> Path:
    path = folders(settings).get(name)
    if path is None:
        raise InputError(f"release {name} is not in {settings.synthetic_dir}: get it with `dvc pull`, or draw it again")
    return path


@dataclass(frozen=True)
class _Table:
    """What stands beside the images of a release, in order, and how many each file holds or names."""

    folder: Path
    digests: list[str]
    seeds: list[int]
    labels: list[int]
    files: list[tuple[str, int]]

    def image(self, row: int) -> Image:
        """Return what is known of one image."""
        seed, label = self.seeds[row], self.labels[row]
        manifest = _manifest(self.folder)
        names = list(_tree(manifest, "counts"))
        version = _of(_tree(manifest, "model"), "version", int)
        psi = _of(_tree(manifest, "generation"), "truncation", float)
        file, row_of_file = self._place(row)
        return Image(
            release=self.folder.name,
            row=row,
            file=file,
            row_of_file=row_of_file,
            seed=seed,
            label=label,
            class_name=names[label] if 0 <= label < len(names) else None,
            sha256=self.digests[row],
            look=None if version is None else image_command(version, seed, label, psi),
        )

    def _place(self, row: int) -> tuple[str, int]:
        for name, count in self.files:
            if row < count:
                return name, row
            row -= count
        raise AssertionError("the columns are as long as the shards")


def _read_table(folder: Path) -> _Table:
    """Read what stands beside the images; where no sha256 of the pixels does, they are decoded for it."""
    manifest = _manifest(folder)
    name = _of(_tree(manifest, "generation"), "format", str)
    if name is None or name == "parquet" or name not in get_args(ReleaseFormat):
        digests, seeds, labels = (read_column(folder, "train", each) for each in ("sha256", "seed", "label"))
        files = [(path.name, rows_of_file(path)) for path in shard_paths(folder, "train")]
        return _Table(folder, [str(digest) for digest in digests], seeds, labels, files)
    form, image = format_named(cast(ReleaseFormat, name)), _tree(manifest, "image")
    shape = tuple(_of(image, side, int) or 0 for side in ("height", "width", "channels"))
    table = _Table(folder, [], [], [], [])
    for path in form.shards(folder):
        before = len(table.seeds)
        for row in form.rows(path):
            try:
                pixels = form.pixels(row.payload, cast(tuple[int, int, int], shape))
            except ValueError as error:
                raise DatasetError(f"{path} is broken ({error}): restore it with `dvc pull`") from None
            table.digests.append(hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest())
            table.seeds.append(row.seed)
            table.labels.append(row.label)
        table.files.append((path.relative_to(folder).as_posix(), len(table.seeds) - before))
    return table


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _tree(tree: dict[str, Any], key: str) -> dict[str, Any]:
    found = tree.get(key)
    return found if isinstance(found, dict) else {}


def _of(tree: dict[str, Any], key: str, kind: type) -> Any:
    found = tree.get(key)
    return found if type(found) is kind else None
