"""From the paths of a source's images to its splits and classes, or to a question where two readings are plausible."""

from collections.abc import Collection, Mapping
from os.path import commonprefix

from gan.data.records import SplitName
from gan.data.sources.layout.classes import ClassReader
from gan.data.sources.layout.folder import Folder
from gan.data.sources.layout.layout import ASIDE, BESIDE_SPLITS, Layout, Place
from gan.data.sources.layout.pairs import masks_among
from gan.data.sources.layout.question import listed
from gan.data.sources.layout.splitting import Base, Splits, find_splits
from gan.data.sources.layout.words import is_container, split_of
from gan.errors import DatasetError

_STRAY = 0.05  # of all images may lie beside the one folder that holds the rest


def read_layout(
    top: Folder,
    where: str,
    *,
    classes: bool = True,
    asked_depth: int | None = None,
    splits: Mapping[str, SplitName] | None = None,
) -> Layout:
    """Read what the folders of a source mean. No disk is looked at.

    Single folders around everything mean nothing. Folders called `train` and `test` and the like are splits; what lies
    below them, or at the top, is a class each. Masks, and what lies beside the splits, is left out.

    Args:
        top: everything that is or should be an image, by folder.
        where: what holds them, for messages.
        classes: whether folders may be classes; not where a file says what each image is.
        asked_depth: where a person says what the classes are, the number of the folder that is one, or 0 where it is
            no number; then nothing is asked.
        splits: the split of each image, where somebody has said it.

    Raises:
        DatasetError: two readings are plausible; the sentence has both, and the option that chooses.
    """
    places: dict[str, Place] = {}
    root = _without_wrapper(top, places, masks=asked_depth is None)
    found = _given(root, splits) if splits is not None else _found(root, where, asked_depth)
    bases = found.bases if found else (Base(root, None),)
    for folder, reason in (found.beside if found else {}).items():
        for each in folder.walk():
            places[each.path] = Place(left_out=reason)
    if found and root.path not in {base.folder.path for base in bases}:
        places[root.path] = Place(reject=BESIDE_SPLITS)
    if not classes:
        for base in bases:
            for each in base.folder.walk():
                places.setdefault(each.path, Place(base.split))
        return Layout(root.prefix, places, has_split=_has_both(places))
    reader = ClassReader(bases, where)
    notes = [*reader.notes]
    if not found and not reader.class_names and root.path and not is_container(root.name):
        notes.append(
            f"everything lies in the one folder {listed([root.path])}, so it is no class and the images have no "
            f"labels: give --classes-from {root.depth} to make it one"
        )
    if not found and (called := [name for name in reader.class_names if (said := split_of(name)) and not said.rest]):
        notes.append(f"{listed(called)} is taken for a class, as the folders beside it are")
    places |= reader.places
    return Layout(root.prefix, places, reader.class_names, _has_both(places), tuple(notes), reader.flat)


def _has_both(places: Mapping[str, Place]) -> bool:
    return {"train", "test"} <= {place.split for place in places.values() if not place.left_out}


def _found(root: Folder, where: str, asked_depth: int | None) -> Splits | None:
    if asked_depth is None:
        return find_splits(root, where)
    if asked_depth == root.depth + 1:
        return None  # what would be a split is a class
    try:
        return find_splits(root, where)
    except DatasetError:
        return None


def _without_wrapper(folder: Folder, places: dict[str, Place], *, masks: bool) -> Folder:
    """Return the innermost folder that holds all images, but for a few strays and for masks of the others."""
    while True:
        found = masks_among(list(folder.children.values())) if masks else []
        for name in found:
            for each in folder.children[name].walk():
                places[each.path] = Place(
                    left_out=f"lies in «{folder.prefix}{name}», beside the images that it goes with"
                )
        folder = folder.without(found) if found else folder
        if len(folder.children) != 1 or len(folder.files) > _STRAY * folder.total:
            return folder
        if folder.files:
            places[folder.path] = Place(reject=ASIDE)
        (folder,) = folder.children.values()


def _given(root: Folder, splits: Mapping[str, SplitName]) -> Splits:
    """Return the folders of splits that somebody has named by their images: apart from each other, or the same."""
    paths: dict[SplitName, list[str]] = {}
    for path, split in splits.items():
        paths.setdefault(split, []).append(path)
    prefixes = {split: _folder_around(each) for split, each in paths.items()}
    names = list(prefixes.values())
    if len(names) < 2 or names[0].startswith(names[1]) or names[1].startswith(names[0]):
        return Splits((Base(root, "train" if "train" in paths else "test"),))
    folders = {each.prefix: each for each in root.walk()}
    return Splits(tuple(Base(folders[prefix], split) for split, prefix in sorted(prefixes.items())))


def _folder_around(paths: Collection[str]) -> str:
    prefix = commonprefix([min(paths), max(paths)])  # noqa: RUF071  # cut back to whole folders below
    return prefix[: prefix.rfind("/") + 1]
