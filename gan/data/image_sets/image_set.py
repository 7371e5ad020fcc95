"""A set of images to measure, from whatever holds one: a folder or archive of images, a dataset, a release."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan.data.files.blob import UnreadableError, read_blob
from gan.data.files.tree import Entry, Tree, printable
from gan.data.image_sets.store import ImageStore
from gan.data.image_sets.tree import select_images, unreadable
from gan.data.pixels.decode import decode_image, is_image_name
from gan.data.records import UNLABELLED, Reject
from gan.data.sources.detect import open_tree
from gan.data.sources.parquet.columns import find_columns
from gan.data.store.dataset import INFO_FILE, MANIFEST, read_dataset_info
from gan.data.store.shards import read_split, shard_paths, shard_schema, split_rows
from gan.errors import DatasetError, InputError

_REPORT_EVERY = 100  # images
_MAX_NAME = 60

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size.

    Attributes:
        name: what people call the set, in printable characters, with a split behind a slash.
        digest: names the images, whatever holds them and in whatever order: SHA-256 over the sorted SHA-256 digests of
            all images' pixels. A grey image kept with one channel and the same image as RGB differ.
        sequence: names the images in their very order: what is made of them row by row is kept under this name.
        images: `[N, H, W, C]` uint8, C 1 grey or 3 RGB; read-only, mapped from a file.
        labels: `[N]` int64, indices into `class_names`, or -1 for none.
        class_names: by label; empty where images have no labels.
    """

    name: str
    digest: str
    sequence: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)


def open_image_set(
    path: Path, *, split: str | None = None, scratch: Path, on_progress: OnProgress | None = None
) -> ImageSet:
    """Decode all images of a set into one file; where they come from nothing is written.

    A dataset has the splits `train` and `test`, a release has `train`, a folder or archive of images has the
    subfolders that it has. Grey images among coloured ones become RGB. Memory grows with the number of images by about
    a kilobyte for each, not with their size.

    Args:
        path: a folder, zip or tar of images, at any depth; a dataset folder; or a release folder.
        split: which images to take; None takes all.
        scratch: folder for pixels and unpacked archives on a disk of this machine; the caller removes it.
        on_progress: called with (images done, images in all).

    Returns:
        The images: of a folder or archive by their sorted paths, of a dataset or release as its shards have them.

    Raises:
        DatasetError: there is nothing, no image, an image that cannot be read or is of another size, or a broken shard.
        InputError: there is no such split.
        ResourcesError: the disk is too full.
    """
    try:
        if not path.exists():
            raise DatasetError(
                f"there is nothing at {path}: give a folder, zip or tar of images, a dataset or a release"
            )
        has_info, has_manifest = (path / INFO_FILE).is_file(), (path / MANIFEST).is_file()
        # Other collections have files of these names too.
        is_sharded = (has_info or has_manifest) and any(path.glob("*.parquet"))
        if path.is_file() and is_image_name(path.name):
            raise DatasetError(f"{path} is one image: give the folder that holds the images, or an archive")
        tree = None if is_sharded else open_tree(path, str(path), scratch)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
            raise
        why = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path} cannot be read ({why}): check its name and permissions") from None
    show = on_progress or (lambda done, total: None)
    if tree is not None:
        return _of_files(tree, split, scratch, show)
    if has_info:
        info = read_dataset_info(path)
        return _of_shards(path, info.name, ("train", "test"), info.class_names, split, scratch, show)
    return _of_shards(path, path.resolve().name, ("train",), _declared_classes(path), split, scratch, show)


def _of_files(tree: Tree, split: str | None, scratch: Path, on_progress: OnProgress) -> ImageSet:
    entries, labels, class_names = select_images(tree, split)
    with ImageStore(scratch, tree.where, len(entries)) as store:
        for done, entry in enumerate(entries, start=1):
            pixels = _decoded(entry, tree.where)
            height, width = (store.shape or pixels.shape)[:2]
            if pixels.shape[:2] != (height, width):
                raise DatasetError(
                    f"the images in {tree.where} are not of one size ({entries[0].path} has {width}x{height} pixels, "
                    f"{entry.path} {pixels.shape[1]}x{pixels.shape[0]}): run `ganflow ingest` to make them one size"
                )
            store.append(pixels[np.newaxis])
            if done % _REPORT_EVERY == 0 or done == len(entries):
                on_progress(done, len(entries))
        return _image_set(_named(tree.name, split), store, labels, class_names)


def _decoded(entry: Entry, where: str) -> NDArray[np.uint8]:
    try:
        return decode_image(read_blob(entry.blob))
    except UnreadableError as error:
        raise unreadable(Reject(entry.path, error.reason, error.detail), where) from None


def _declared_classes(folder: Path) -> tuple[str, ...]:
    try:
        return find_columns(shard_schema(shard_paths(folder, "train")[0])).names or ()
    except UnreadableError as error:
        raise DatasetError(f"the shards in {folder} cannot be used ({error.reason}): make the release again") from None


def _of_shards(
    folder: Path,
    name: str,
    splits: tuple[str, ...],
    class_names: tuple[str, ...],
    split: str | None,
    scratch: Path,
    on_progress: OnProgress,
) -> ImageSet:
    if split is not None and split not in splits:
        raise InputError(f"{folder} has no split «{split}»: name {' or '.join(splits)}, or no split to take all images")
    chosen = splits if split is None else (split,)
    total = sum(split_rows(folder, each) for each in chosen)
    if not total:
        raise DatasetError(f"the shards in {folder} hold no image: make the dataset or release again")
    labels = []
    with ImageStore(scratch, str(folder), total) as store:
        for images, numbers in (batch for each in chosen for batch in read_split(folder, each)):
            if store.shape not in {(), images.shape[1:]}:
                raise DatasetError(f"the splits in {folder} are not of one size: ingest the dataset again")
            if numbers.min() < UNLABELLED or numbers.max() >= len(class_names):
                raise DatasetError(f"{folder} has labels that name no class: make the dataset or release again")
            store.append(images)
            labels.append(numbers)
            on_progress(len(store), total)
        return _image_set(_named(name, split), store, np.concatenate(labels), class_names)


def _image_set(name: str, store: ImageStore, labels: NDArray[np.int64], class_names: tuple[str, ...]) -> ImageSet:
    return ImageSet(name, store.digest(), store.sequence(), store.mapped(), labels, class_names)


def _named(name: str, split: str | None) -> str:
    short = name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"
    text = printable(short) + ("" if split is None else f"/{split}")
    return "".join(each if each.isprintable() else "?" for each in text)
