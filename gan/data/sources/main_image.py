"""Which of several images in a sample is the one that is meant: told by their endings over all samples, else asked."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gan.errors import DatasetError
from gan.text.shown import shown

_COMPANIONS = {
    *("mask", "masks", "seg", "segmentation", "semantic", "instance", "panoptic", "label", "labels", "alpha", "matte"),
    *("depth", "disparity", "normal", "normals", "flow", "edge", "edges", "canny", "pose", "heatmap", "attention"),
    *("thumb", "thumbnail", "preview", "lowres", "condition", "cond", "control", "hint", "sketch"),
}
_MAIN = {"image", "img", "rgb", "photo", "color", "colour"}
_LOSSY = {"jpg", "jpeg", "webp"}  # what no mask is stored as


@dataclass(frozen=True)
class Choice:
    """How images of a sample are told apart.

    Attributes:
        counts: samples with each ending.
        companions: endings that stand beside the image in most samples, or say themselves that they are none.
    """

    counts: dict[str, int]
    companions: frozenset[str]

    def order(self, ending: str) -> tuple[bool, int, bool, int, str]:
        """Return what images of a sample are sorted by: the first is meant."""
        return (ending in self.companions, _rank(ending), not _is_lossy(ending), -self.counts[ending], ending)


def choose(samples: Iterable[Sequence[str]], where: str) -> Choice:
    """Tell the image of every sample from what lies beside it.

    Args:
        samples: of each sample the endings of its images, such as `jpg` and `depth.png`.
        where: what holds them, for messages.

    Raises:
        DatasetError: most samples have several images, and no ending says which is meant.
    """
    found = [set(endings) for endings in samples if endings]
    counts = Counter(ending for endings in found for ending in endings)
    usual = sorted(ending for ending, count in counts.items() if 2 * count > len(found))
    best = [ending for ending in usual if _rank(ending) == min(map(_rank, usual))]
    lossy = [ending for ending in best if _is_lossy(ending)]
    if len(best) > 1 and (len(lossy) != 1 or _rank(best[0]) >= _UNKNOWN):
        raise DatasetError(
            f"the samples of {where} have several images each ({shown(', '.join(best))}), and nothing says which is "
            "meant: pack them again with one, or call the others .mask.png or the like"
        )
    main = lossy if len(best) > 1 else best
    beside = {ending for ending in usual if ending not in main}
    says_so = {ending for ending in counts if _rank(ending) == _NO_IMAGE and counts.keys() - {ending}}
    return Choice(dict(counts), frozenset(beside | (says_so - set(main))))


_PLAIN, _SAID, _UNKNOWN, _NO_IMAGE = range(4)


def _rank(ending: str) -> int:
    words = set(re.split(r"[^a-z]+", ending.rpartition(".")[0].lower()))
    if words & _COMPANIONS:
        return _NO_IMAGE
    if words & _MAIN:
        return _SAID
    return _UNKNOWN if words - {""} else _PLAIN


def _is_lossy(ending: str) -> bool:
    return ending.rpartition(".")[2] in _LOSSY
