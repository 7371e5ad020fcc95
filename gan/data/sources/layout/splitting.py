"""Which folders are the splits of a source, and which beside them are not."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from gan.data.records import SplitName
from gan.data.sources.layout.folder import Folder
from gan.data.sources.layout.question import listed, question
from gan.data.sources.layout.words import Split, is_container, is_outside, split_of

CHOOSE_SPLIT = "name the images of each split with --train and --test, or leave folders out with --exclude"
_NEIGHBOURS = 2  # class folders that make another one called `train` one of them


@dataclass(frozen=True)
class Base:
    """A folder of a split, below which the classes lie.

    Attributes:
        folder: it.
        split: which split; None where the source has none.
        validation: whether it is one that is held out in name, but trained on beside a test split.
        class_name: the class that the folder's own name says, as in `trainA`; or None.
    """

    folder: Folder
    split: SplitName | None
    validation: bool = False
    class_name: str | None = None


@dataclass(frozen=True)
class Splits:
    """The folders of the splits, and those that are none, each with what it is instead."""

    bases: tuple[Base, ...]
    beside: dict[Folder, str] = field(default_factory=dict)


def find_splits(root: Folder, where: str) -> Splits | None:
    """Find the splits among the folders of a source, or right below each of its classes.

    Returns:
        None where folders are no splits.

    Raises:
        DatasetError: some are called like splits, and both readings are plausible.
    """
    called = {name: found for name in root.children if (found := split_of(name))}
    if not called:
        return _below_classes(root, where)
    others = [root.children[name] for name in root.children if name not in called]
    words = _words(called)
    nested = any(_holds_splits(inner(root.children[name])) for name in called)
    if "train" in words and len(words) > 1 and _are_alike(called) and not nested:
        beside = _beside(root, list(called), others, where)
        return Splits(tuple(_bases(root, called)), beside)
    return _without_partner(root, called, others, where)


def inner(folder: Folder) -> Folder:
    """Return what lies in single folders that only hold something, as in `training_set/training_set/cat`."""
    while len(folder.children) == 1:
        (child,) = folder.children.values()
        if not is_container(child.name) and child.name.lower() != folder.name.lower():
            break
        folder = child
    return folder


def _words(called: dict[str, Split]) -> set[str]:
    return {found.word for found in called.values()}


def _are_alike(called: dict[str, Split]) -> bool:
    """Return whether each rest of a name, such as the A in `trainA`, is there for training and held out."""
    words: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for found in called.values():
        words[found.rest].add(found.word)
    return all("train" in each and len(each) > 1 for each in words.values())


def _bases(root: Folder, called: dict[str, Split]) -> Iterable[Base]:
    has_test = "test" in _words(called)
    several = len({found.rest for found in called.values()}) > 1
    for name, found in called.items():
        held_out = found.word == "test" or (found.word == "validation" and not has_test)
        rest = found.rest[-1].upper() if several and found.rest and len(found.rest[-1]) == 1 else "_".join(found.rest)
        class_name = (rest or name) if several else None
        validation = found.word == "validation" and has_test
        yield Base(root.children[name], "test" if held_out else "train", validation, class_name)


def _beside(root: Folder, splits: list[str], others: list[Folder], where: str) -> dict[Folder, str]:
    """Say what the folders beside the splits are, where the splits hold folders of equal names or the others say it."""
    if not others:
        return {}
    names = [set(inner(root.children[name]).children) for name in splits]
    common = any(one & other for at, one in enumerate(names) for other in names[at + 1 :])
    unclear = [folder.name for folder in others if not is_outside(folder.name)]
    if unclear and not common:
        raise question(
            where,
            f"the splits {listed(splits)}, with {listed(unclear)} left out",
            f"the classes {listed([*splits, *unclear])}",
            f"leave folders out with --exclude, or give --classes-from {root.depth + 1} to take each as a class",
        )
    return {folder: f"lies in «{folder.path}», beside the splits {listed(splits)}" for folder in others}


def _without_partner(root: Folder, called: dict[str, Split], others: list[Folder], where: str) -> Splits | None:
    """Tell splits without what belongs to them from classes that are called so."""
    splits, names = list(called), [folder.name for folder in others]
    words = _words(called)
    plain = all(not found.rest for found in called.values())
    if words == {"train"} and len(called) == 1 and plain and not _holds_splits(inner(root.children[splits[0]])):
        train = root.children[splits[0]]
        if others and all(is_outside(name) for name in names):
            reason = f"beside the split {listed(splits)}"
            return Splits((Base(train, "train"),), {each: f"lies in «{each.path}», {reason}" for each in others})
        if len(others) >= _NEIGHBOURS and not train.children and not any(each.children for each in others):
            return None  # a railway among vehicles
    elif all(found.rest for found in called.values()):
        return None  # `bullet train` and `test tube`
    raise question(
        where,
        f"the splits {listed(splits)}" + (f", with {listed(names)} left out" if names else ""),
        f"the classes {listed([*splits, *names])}",
        f"{CHOOSE_SPLIT}; or give --classes-from {root.depth + 1} to take each folder as a class",
    )


def _below_classes(root: Folder, where: str) -> Splits | None:
    """Find splits that lie right below each class, as in `cat/train`, `cat/test`."""
    with_splits = {name: child for name, child in root.children.items() if _holds_splits(child)}
    if not with_splits:
        return None
    names = sorted({below for child in with_splits.values() for below in child.children})
    deeper = any(inner(below).children for child in with_splits.values() for below in child.children.values())
    if len(with_splits) < len(root.children) or root.files or deeper:
        raise question(
            where,
            f"the classes {listed(list(root.children))}, with splits in some of them",
            f"several collections with the splits {listed(names)} each",
            f"{CHOOSE_SPLIT}, and say with --classes-from which folder of a path is the class",
        )
    bases = []
    for name, child in with_splits.items():
        called = {below: split for below in child.children if (split := split_of(below))}
        bases += [Base(base.folder, base.split, base.validation, name) for base in _bases(child, called)]
    return Splits(tuple(bases))


def _holds_splits(folder: Folder) -> bool:
    called = [split_of(name) for name in folder.children]
    words = {found.word for found in called if found}
    return all(called) and not folder.files and "train" in words and len(words) > 1
