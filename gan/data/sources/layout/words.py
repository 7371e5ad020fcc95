"""What names of folders say: splits in many spellings, folders that only hold something, pictures of pictures."""

import re
from typing import Literal, NamedTuple

from gan.data.sources.splits import TEST, TRAIN, VALIDATION

SplitWord = Literal["train", "validation", "test"]


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS: dict[str, SplitWord] = {
    **dict.fromkeys(TRAIN | {"trainset"}, "train"),
    **dict.fromkeys(TEST | {"testset"}, "test"),
    **dict.fromkeys(VALIDATION | {"valset"}, "validation"),
}
_CONTAINERS = _set(
    "data dataset files frames image images img imgs jpeg jpegimages jpegs jpg jpgs photo photos picture pictures png "
    "pngs raw samples"
)
_MASKS = _set(
    "annotation annotations depth depths edge edges groundtruth groundtruths gt label labels mask masks saliency seg "
    "segmentation segmentationclass segmentationobject segmentations segs trimap trimaps"
)
_OUTSIDE = _MASKS | _set("extra pred predict prediction predictions unlabeled unlabelled")
_VIEWS = _set(
    "after back before bottom clean front gray grey hr infrared input inputs ir left lr nir noisy output outputs "
    "rear rgb right sketch sketches source target targets thermal top"
)
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\W\d_a-zA-Z]+")
_SAY_NOTHING = _CONTAINERS | {"set", "split"}


class Split(NamedTuple):
    """What a name says of a split: which, and what else stands in it, such as `a` in `trainA`."""

    word: SplitWord
    rest: tuple[str, ...]


def split_of(name: str) -> Split | None:
    """Tell which split a folder's name means: `train`, `Train2017`, `trainA`, `seg_test`, `val_images`; else None."""
    tokens = [token.lower() for token in _TOKEN.findall(name)]
    found = [token for token in tokens if token in _WORDS]
    if len(found) != 1:
        return None
    # A number is a year, and `images` says nothing.
    rest = [token for token in tokens if token not in _WORDS and token not in _SAY_NOTHING and not token.isdigit()]
    return Split(_WORDS[found[0]], tuple(rest))


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]|[0-9]+$", "", name.lower())


def is_container(name: str) -> bool:
    """Return whether a name says only that something lies there: `images`, `JPEGImages`, `data`."""
    return _plain(name) in _CONTAINERS


def is_mask(name: str) -> bool:
    """Return whether a name is one of pictures of pictures: `masks`, `ground_truth`, `depth`."""
    return _plain(name) in _MASKS


def is_outside(name: str) -> bool:
    """Return whether a name beside splits says that it is none of them and no class: `unlabeled`, `extra`, `pred`."""
    return _plain(name) in _OUTSIDE


def is_view(name: str) -> bool:
    """Return whether a name is one of several views of one scene: `left`, `input`."""
    return name.lower() in _VIEWS
