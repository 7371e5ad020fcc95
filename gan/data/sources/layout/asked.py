"""Splits and classes as a person says them, by parts of an image's path."""

import re
from collections.abc import Iterable

from gan.data.records import SplitName
from gan.data.sources.census import matches
from gan.data.sources.layout.words import SplitWord, split_of
from gan.data.sources.spec import NO_LABELS, Asked, path_rule
from gan.errors import DatasetError

NO_SPLIT = "no split by --split-from"
NO_CLASS = "no class by --classes-from"
NEITHER = "neither --train nor --test names it"


def asked_splits(paths: Iterable[str], asked: Asked, where: str) -> dict[str, SplitName] | None:
    """Return the split of each image that a person's rule names one for; None where there is no rule.

    With `--train` alone the rest is left out, with `--test` alone it is trained on.

    Raises:
        DatasetError: both patterns name an image, or nothing is left to train on.
    """
    if asked.split_from:
        words = {path: _split_word(path, asked.split_from) for path in paths}
        has_test = "test" in words.values()
        found: dict[str, SplitName] = {
            path: "test" if word == "test" or (word == "validation" and not has_test) else "train"
            for path, word in words.items()
            if word
        }
    elif asked.train or asked.test:
        found = {path: split for path in paths if (split := _by_pattern(path, asked, where))}
    else:
        return None
    if "train" not in found.values():
        raise DatasetError(f"by {asked.options()} no image of {where} is there to train on: correct it")
    return found


def asked_class(path: str, rule: str) -> str | None:
    """Return the class of an image by a person's rule; None where its path has none, or there are no classes."""
    return None if rule == NO_LABELS else _part(path, rule, "--classes-from")


def _split_word(path: str, rule: str) -> SplitWord | None:
    part = _part(path, rule, "--split-from")
    found = split_of(part) if part else None
    return found.word if found else None


def _by_pattern(path: str, asked: Asked, where: str) -> SplitName | None:
    train = bool(asked.train and matches(path, [asked.train]))
    test = bool(asked.test and matches(path, [asked.test]))
    if train and test:
        raise DatasetError(f"--train and --test both name {path} of {where}: make them exclude each other")
    if test:
        return "test"
    return "train" if train or not asked.train else None


def _part(path: str, rule: str, option: str) -> str | None:
    found = path_rule(rule, option)
    if isinstance(found, re.Pattern):
        match = found.search(path)
        return (match[found.groups] or None) if match else None
    folders = path.split("/")[:-1]
    at = found - 1 if found > 0 else found
    return folders[at] if -len(folders) <= at < len(folders) else None
