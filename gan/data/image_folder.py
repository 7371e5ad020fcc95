"""A folder of image files as a source: one subfolder per class, or no subfolders and no classes."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gan.data.decode import SUFFIXES, UnreadableImageError, read_image
from gan.data.sources import UNLABELLED, Reject, SourceImage, SourceKind
from gan.errors import DatasetError


class _Entry(NamedTuple):
    path: str
    label: int
    reason: str  # empty: to be decoded


class FolderSource:
    """The image files below a folder, by class and then by path; decoded one at a time, never kept."""

    kind: SourceKind = "folder"

    def __init__(self, root: Path) -> None:
        """List the files; none is opened yet.

        Raises:
            DatasetError: no file below `root` is called like an image.
            OSError: `root` cannot be listed.
        """
        self._root = root
        self.name: str = _printable(root.resolve().name or "images")
        folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
        found = {folder: _image_files(root, folder) for folder in folders}
        classes = [folder for folder in folders if found[folder]]
        loose = sorted(entry.name for entry in os.scandir(root) if not entry.is_dir() and _is_image(entry.name))
        if not classes and not loose:
            raise DatasetError(
                f"no image was found in {root}: give a folder with one subfolder per class, holding files that end in "
                f"{', '.join(sorted(SUFFIXES))}"
            )
        self.class_names: tuple[str, ...] = tuple(_printable(name) for name in classes)
        outside = "lies beside the class folders, so has no class" if classes else ""
        self._entries = [_Entry(path, UNLABELLED, outside) for path in loose]
        for label, folder in enumerate(classes):
            linked = "in a linked folder" if (root / folder).is_symlink() else ""
            self._entries += [_Entry(path, label, linked) for path in found[folder]]

    def __len__(self) -> int:
        """Return the number of files, readable or not."""
        return len(self._entries)

    def __iter__(self) -> Iterator[SourceImage | Reject]:
        """Decode and yield each image, or say why it is none."""
        for path, label, reason in self._entries:
            name = _printable(path)
            if reason:
                yield Reject(name, reason)
                continue
            try:
                yield SourceImage(name, label, read_image(self._root / path))
            except UnreadableImageError as error:
                yield Reject(name, error.reason, error.detail)


def _image_files(root: Path, folder: str) -> list[str]:
    """List image files and linked folders below `root/folder`, relative to `root` with `/`, sorted."""

    def refuse(error: OSError) -> None:
        raise error

    found = []
    for where, folders, names in os.walk(root / folder, onerror=refuse):
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]
        found += [Path(where) / name for name in [*links, *filter(_is_image, names)]]
    return sorted(path.relative_to(root).as_posix() for path in found)


def _is_image(name: str) -> bool:
    # Names that begin with a dot are what systems leave behind, such as macOS's ._photo.jpg.
    return os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(".")


def _printable(path: str) -> str:
    """Replace bytes that are no UTF-8, which no JSON or Parquet text may hold."""
    return os.fsencode(path).decode("utf-8", "replace")
