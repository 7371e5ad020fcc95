"""Rows of a file of labels to the images that they name, in whichever way the paths are spelled."""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from gan.data.pixels.decode import is_image_name
from gan.data.sources.layout.words import split_of

Spell = Callable[[str], str]


def match_rows(rows: Iterable[str], images: Sequence[str], places: Iterable[str], name: str) -> dict[str, str]:
    """Find the image that each row names.

    A path may begin at any of some folders; else it may lack leading folders or its ending, or spell that in another
    case, or have spaces around it; else it may have leading folders that the source has not. Whatever fits several
    images, or is one of several rows for one image, is left without.

    Args:
        rows: paths as they are written.
        images: paths of the images from the top of the source.
        places: folders that written paths may begin at, each with a slash behind it or nothing.
        name: what the source is called.

    Returns:
        Row to image, for those rows that name one.
    """
    known = set(images)
    places = list(dict.fromkeys(places))
    found: dict[str, str] = {}
    left = []
    for row in rows:
        fits = {path for place in places if (path := place + row) in known}
        if len(fits) == 1:
            found[row] = fits.pop()
        elif not fits:
            left.append(row)
    for spell in _SPELLINGS:
        if not left:
            return found
        found |= _once(_by_end(left, images, spell), found)
        left = [row for row in left if row not in found]
    below = [_below_other_folders(left, images, spell) for spell in _SPELLINGS]
    if prefix := _one_prefix(below, name):
        for spelled in below:
            found |= _once({row: image for row, image in spelled.get(prefix, {}).items() if row not in found}, found)
    return found


def _plain(path: str) -> str:
    return path


def _loose(path: str) -> str:
    parts = [part.strip() for part in unicodedata.normalize("NFC", path).split("/")]
    stem, dot, ending = parts[-1].rpartition(".")
    return "/".join([*parts[:-1], f"{stem}{dot}{ending.lower()}" if dot else parts[-1]])


def _without_ending(path: str) -> str:
    path = _loose(path)
    return path.rpartition(".")[0] if is_image_name(path.rpartition("/")[2]) else path


def _by_end(rows: Sequence[str], images: Sequence[str], spell: Spell) -> dict[str, str]:
    """Match rows that lack leading folders."""
    spelled = {image: spell(image).split("/") for image in images}
    by_end: dict[int, dict[str, str | None]] = {}
    found = {}
    for row in rows:
        end = spell(row)
        length = end.count("/") + 1
        if length not in by_end:
            by_end[length] = _unique(
                ("/".join(parts[-length:]), image) for image, parts in spelled.items() if len(parts) >= length
            )
        if image := by_end[length].get(end):
            found[row] = image
    return found


def _below_other_folders(rows: Sequence[str], images: Sequence[str], spell: Spell) -> dict[str, dict[str, str]]:
    """Match rows that have leading folders which the source has not, by these folders."""
    whole = _unique((spell(image), image) for image in images)
    by_prefix: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        parts = spell(row).split("/")
        for at in range(1, len(parts)):
            if image := whole.get("/".join(parts[at:])):
                by_prefix["/".join(parts[:at])][row] = image
                break
    return by_prefix


def _one_prefix(below: Sequence[Mapping[str, object]], name: str) -> str:
    """Return the leading folders that all rows have, or those that end in the source's own name; else nothing."""
    prefixes = {prefix for spelled in below for prefix in spelled}
    own = [prefix for prefix in prefixes if prefix.rpartition("/")[2] == name]
    if len(own) == 1:
        return own[0]
    # Rows of another split than the one that is given have the same names for other images.
    alone = len(prefixes) == 1 and not any(split_of(part) for prefix in prefixes for part in prefix.split("/"))
    return prefixes.pop() if alone else ""


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """Return what each key stands for, None where it is for several."""
    found: dict[str, str | None] = {}
    for key, value in pairs:
        found[key] = None if key in found else value
    return found


_SPELLINGS: tuple[Spell, ...] = (_plain, _loose, _without_ending)


def _once(found: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Leave out images that several rows name."""
    taken = set(before.values())
    counts: defaultdict[str, int] = defaultdict(int)
    for image in found.values():
        counts[image] += 1
    return {row: image for row, image in found.items() if counts[image] == 1 and image not in taken}
