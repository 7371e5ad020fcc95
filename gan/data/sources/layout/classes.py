"""Which folders below the splits are classes, and which only look so."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gan.data.records import SplitName
from gan.data.sources.layout.folder import Folder
from gan.data.sources.layout.layout import ASIDE, BESIDE_CLASSES, Place
from gan.data.sources.layout.names import in_order, same_names
from gan.data.sources.layout.pairs import are_views, masks_among
from gan.data.sources.layout.question import listed, question
from gan.data.sources.layout.splitting import Base, inner
from gan.data.sources.layout.words import is_container


class ClassReader:
    """Finds classes below the folders of the splits.

    Args:
        bases: the folders; one, without a split, where the source has none.
        where: what holds them, for messages.

    Attributes:
        places: what the images of each folder are.
        class_names: in order.
        notes: what a person should know.
        flat: split folders without classes, beside one with them.
    """

    def __init__(self, bases: Sequence[Base], where: str) -> None:
        self._where = where
        self.places: dict[str, Place] = {}
        self.notes: list[str] = []
        self.flat: dict[str, SplitName] = {}
        self.class_names: tuple[str, ...] = ()
        found = _held_out([self._without_masks(base) for base in bases])
        if any(base.class_name for base in found):
            self._by_name(found)
        elif any(base.folder.children for base in found):
            self._by_folder(found)
        else:
            for base in found:
                self.take(base.folder, Place(base.split))

    def take(self, folder: Folder, place: Place) -> None:
        """Say the same of all images in a folder and below."""
        for each in folder.walk():
            self.places[each.path] = place

    def _without_masks(self, base: Base) -> Base:
        folder = self._inner(base.folder)
        masks = masks_among(list(folder.children.values()))
        for name in masks:
            self.take(
                folder.children[name],
                Place(left_out=f"lies in «{folder.prefix}{name}», beside the images that it goes with"),
            )
        return replace(base, folder=self._inner(folder.without(masks)) if masks else folder)

    def _inner(self, folder: Folder) -> Folder:
        """Look into folders that only hold something; images beside them are none of the dataset."""
        last = inner(folder)
        for above in folder.walk():
            if above.path != last.path and last.path.startswith(above.prefix):
                self.places[above.path] = Place(reject=ASIDE)
        return last

    def _by_name(self, bases: Sequence[Base]) -> None:
        """Take classes that the folders of the splits themselves name, as in `trainA` or `cat/train`."""
        called = [(base, base.class_name or "") for base in bases]
        counts: Counter[str] = Counter()
        for base, name in called:
            counts[name] += base.folder.total
        chosen, notes = same_names({"": counts}, self._where)
        self.notes += notes
        self.class_names = in_order(chosen.values())
        for base, name in called:
            self.take(base.folder, Place(base.split, chosen[name]))

    def _by_folder(self, bases: Sequence[Base]) -> None:
        classed = [base for base in bases if base.folder.children]
        for base in bases:
            if not base.folder.children:
                self._take_flat(base, classed)
        folders = {base.folder.path: self._class_folders(base) for base in classed}
        parents = {path: {each.name: each.total for each in found} for path, found in folders.items()}
        chosen, notes = same_names(parents, self._where)
        self.notes += notes
        trained = {chosen[each.name] for base in classed if _is_trained(base) for each in folders[base.folder.path]}
        names = set()
        for base in classed:
            self.places[base.folder.path] = Place(base.split, reject=BESIDE_CLASSES)
            for folder in folders[base.folder.path]:
                name = chosen[folder.name]
                if base.validation and name not in trained:
                    why = "its class has no images to train on, only some for validation"
                    self.take(folder, Place(left_out=f"lies in «{folder.path}»: {why}"))
                else:
                    names.add(name)
                    self.take(folder, Place(base.split, name))
        self.class_names = in_order(names)

    def _take_flat(self, base: Base, classed: Sequence[Base]) -> None:
        if _is_trained(base):
            others = [each.folder.name for each in classed]
            raise question(
                self._where,
                f"classes that «{listed(others)}» alone has folders for",
                "no classes",
                f"put the images of «{base.folder.name}» into class folders, too, or give --classes-from none",
            )
        why = "it has no class folders, and the images to train on have"
        self.take(base.folder, Place(base.split, left_out=f"lies in «{base.folder.path}»: {why}"))
        if base.split:
            self.flat[base.folder.path] = base.split

    def _class_folders(self, base: Base) -> list[Folder]:
        """Return the subfolders of a split that may be classes."""
        children = list(base.folder.children.values())
        if len(children) == 1:
            return children
        if are_views(children):
            raise question(
                self._where,
                f"several views {listed([each.name for each in children])} of the same things, file by file",
                "classes of these names",
                f"take one of them with --exclude, or give --classes-from {base.folder.depth + 1}",
            )
        found = [each for each in children if not self._is_only_container(each, children)]
        if _is_trained(base):
            self._refuse_same_below(found, base.folder)
        return found

    def _is_only_container(self, folder: Folder, siblings: Sequence[Folder]) -> bool:
        if not is_container(folder.name):
            return False
        others = [each for each in siblings if each is not folder]
        if any(folder.name in each.children for each in others):
            self.take(folder, Place(left_out=f"lies in «{folder.name}», which is no class: the classes hold one each"))
            return True
        raise question(
            self._where,
            f"a class called «{folder.name}» beside {listed([each.name for each in others])}",
            "a folder that only holds images",
            f"leave folders out with --exclude, or give --classes-from {folder.depth}",
        )

    def _refuse_same_below(self, folders: Sequence[Folder], above: Folder) -> None:
        """Refuse folders that hold folders of the same names each: either may be the classes."""
        below = [inner(folder) for folder in folders]
        counts = Counter(name for folder in below for name in folder.children)
        same = [name for name, count in counts.items() if count > 1]
        held = sum(folder.children[name].total for folder in below for name in same if name in folder.children)
        if len(same) > 1 and 2 * held >= sum(folder.total for folder in folders):
            first = next(folder for folder in below if folder.children)
            raise question(
                self._where,
                f"the classes {listed([each.name for each in folders])}",
                f"the classes {listed(in_order(same))}, which several of these folders hold",
                f"give --classes-from {above.depth + 1} for the first, or --classes-from {first.depth + 1}",
            )


def _held_out(bases: Sequence[Base]) -> list[Base]:
    """Let the validation split be held out where the test split has no classes, as in contests."""
    tests = [base for base in bases if base.split == "test"]
    classed = any(base.folder.children for base in bases if _is_trained(base))
    if not classed or any(base.folder.children or base.class_name for base in tests):
        return list(bases)
    return [replace(base, split="test", validation=False) if base.validation else base for base in bases]


def _is_trained(base: Base) -> bool:
    return base.split != "test" and not base.validation
