"""Folders that hold, file by file, pictures of the same things: masks of images, or views of one scene."""

import re
from collections.abc import Sequence

from gan.data.sources.layout.folder import Folder
from gan.data.sources.layout.words import is_mask, is_view

_SAME = 0.9  # of the files; some always lack their partner
_FEWEST = 8  # files of equal names that are no chance
_GAP = 20  # numbers that lie further apart than this were not counted through
_OF_A_MASK = re.compile(r"[-_ .]?(mask|gt|seg|label|depth|edge|annotation|segmentation|trimap)s?$", re.I)


def masks_among(folders: Sequence[Folder]) -> list[str]:
    """Return the names of the folders that are called as masks are and whose files have a partner in another."""
    called = [folder for folder in folders if is_mask(folder.name)]
    if not called or len(called) == len(folders):
        return []
    pictures = {stem for folder in folders if not is_mask(folder.name) for stem in _stems(folder)}
    return [folder.name for folder in called if _share(_stems(folder), pictures) >= _SAME]


def are_views(folders: Sequence[Folder]) -> bool:
    """Return whether folders hold a file of each name each, so that they look like views and not like classes.

    Files that are only counted through, 1, 2, 3 or img_001, tell nothing, unless the folders are called as views are.
    """
    if len(folders) < 2:
        return False
    every: set[str] = set()
    common = None
    for folder in folders:  # the first two tell nearly always
        stems = _stems(folder)
        every |= stems
        common = stems if common is None else common & stems
        if len(common) < _SAME * len(every):
            return False
    assert common is not None
    if all(is_view(folder.name) for folder in folders):
        return True
    return len(common) >= _FEWEST and not _is_counted(common)


def _stems(folder: Folder) -> set[str]:
    """Return the paths of a folder's images, below it and without their endings."""
    start = len(folder.prefix)
    return {
        _OF_A_MASK.sub("", each.prefix[start:] + (name.rpartition(".")[0] or name))
        for each in folder.walk()
        for name in each.files
    }


def _share(some: set[str], of: set[str]) -> float:
    return len(some & of) / len(some) if some else 0.0


def _is_counted(stems: set[str]) -> bool:
    """Return whether names are nothing but numbers in a row behind the same text."""
    found = [re.fullmatch(r"(.*?)([0-9]{1,18})", stem, re.S) for stem in stems]
    numbers = {int(match[2]) for match in found if match}
    texts = {match[1] for match in found if match}
    return all(found) and len(texts) == 1 and max(numbers) - min(numbers) < _GAP * len(numbers)
