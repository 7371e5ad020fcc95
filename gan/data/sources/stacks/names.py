"""What the name of an array says: whether it holds images or labels, of which split, of which set."""

import re
from typing import Literal, NamedTuple

Role = Literal["images", "labels", "names", ""]

_IMAGES = {"images", "image", "imgs", "img", "x", "data", "samples", "pixels"}
_LABELS = {"labels", "label", "y", "targets", "target"}
_NAMES = {"class_names", "label_names"}
_SPLITS = {"train", "training", "test", "testing", "holdout", "val", "valid", "validation", "dev", "t10k"}
_SHARD = re.compile(r"-\d+-of-\d+")
_SUFFIX = re.compile(r"\.(npy|npz|csv)(\.gz)?$", re.I)
# x_train, trainX, train-images, X.train
_WORD = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])")


class ArrayName(NamedTuple):
    """A name taken apart.

    Attributes:
        role: what the array holds; nothing where its name does not say.
        split: the word for a split, `t10k` being `test`; nothing where there is none.
        parent: path of the file or folder that it lies in.
        rest: all other words of the path; they tell sets apart.
    """

    role: Role
    split: str
    parent: str
    rest: tuple[str, ...]


def take_apart(path: str, *, is_set: bool = False) -> ArrayName:
    """Take apart the path of an array, such as `mnist.npz/x_train.npy` or `train/images.npy`.

    Args:
        path: its path.
        is_set: whether it is named after its set where its name says no role, as tables are: `mnist_train.csv`.
    """
    *above, last = path.split("/")
    stem = _SUFFIX.sub("", last)
    own, outer = _words(stem), [word for part in above for word in _words(part)]
    role, used = _role(stem, own)
    if not role and (in_folder := _role("", outer)[0]):
        role, used = in_folder, set()
        outer = [word for word in outer if word not in _IMAGES | _LABELS]
    elif not role and not is_set:
        own = [word for word in own if word in _SPLITS]  # arr_0 is no name of a set
    words = [*outer, *(word for word in own if word not in used)]
    splits = [word for word in words if word in _SPLITS]
    split = splits[-1] if splits else ""
    rest = tuple(word for word in words if word not in _SPLITS)
    return ArrayName(role, "test" if split == "t10k" else split, "/".join(above), rest)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.split(_SHARD.sub("", _SUFFIX.sub("", text))) if word]


def _role(stem: str, words: list[str]) -> tuple[Role, set[str]]:
    """Return what words say that an array holds, and those words."""
    if stem.lower() in _NAMES:
        return "names", set(words)
    said = set(words)
    if labels := said & _LABELS:  # image_labels
        return "labels", labels | said & _IMAGES
    images = said & _IMAGES
    return ("images", images) if images else ("", set())
