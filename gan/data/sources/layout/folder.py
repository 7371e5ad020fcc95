"""Folders with the images in them, as a tree of names; no disk is looked at."""

from collections.abc import Iterable, Iterator
from typing import Self


class Folder:
    """A folder that holds images, itself or further below.

    Attributes:
        path: from the root of the source, with `/` between parts; nothing for the root.
        files: names of the images that lie in it.
        children: its subfolders by name, as far as images lie in them.
        total: images in it and below.
    """

    __slots__ = ("children", "files", "path", "total")

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.files: list[str] = []
        self.children: dict[str, Folder] = {}
        self.total = 0

    @classmethod
    def of(cls, images: Iterable[str]) -> Self:
        """Make the tree of some paths."""
        root = cls()
        known: dict[str, Folder] = {"": root}
        for path in images:
            above, _, name = path.rpartition("/")
            folder = known.get(above)
            if folder is None:
                folder = known[above] = root._child(above)
            folder.files.append(name)
        root._count()
        return root

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def depth(self) -> int:
        """How many folders it lies in, itself counted; 0 for the root."""
        return self.path.count("/") + 1 if self.path else 0

    @property
    def prefix(self) -> str:
        """What the paths of everything in it begin with."""
        return f"{self.path}/" if self.path else ""

    def without(self, names: Iterable[str]) -> "Folder":
        """Return it without some of its subfolders."""
        names = set(names)
        rest = Folder(self.path)
        rest.files = self.files
        rest.children = {name: child for name, child in self.children.items() if name not in names}
        rest.total = len(rest.files) + sum(child.total for child in rest.children.values())
        return rest

    def walk(self) -> Iterator["Folder"]:
        """Yield it and every folder below it."""
        folders = [self]
        while folders:
            folder = folders.pop()
            yield folder
            folders += folder.children.values()

    def _child(self, path: str) -> "Folder":
        folder: Folder = self
        for part in path.split("/"):
            folder = folder.children.setdefault(part, Folder(folder.prefix + part))
        return folder

    def _count(self) -> None:
        folders = list(self.walk())
        for folder in reversed(folders):  # those below come after
            folder.total = len(folder.files) + sum(child.total for child in folder.children.values())
            folder.children = dict(sorted(folder.children.items()))
