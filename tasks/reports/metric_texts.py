"""What each metric means to people who never heard of it."""

import re
from typing import NamedTuple

DISTANCE = "Distance from the real images"
FIDELITY = "Fidelity and variety"
MEMORY = "Memorised training images"
USE = "Use for training a classifier"
OTHER = "Other scores"
_LOWER, _HIGHER = "lower is better", "higher is better"


class Kind(NamedTuple):
    """What is to be said of a metric, whatever the number of images.

    Attributes:
        name: for people.
        group: heading under which it stands.
        better: which direction is better; empty where neither is.
        meaning: one plain sentence.
        at_least: how far the scale of its bar reaches in any case.
        symmetric: whether zero is in the middle of that scale.
    """

    name: str
    group: str
    better: str
    meaning: str
    at_least: float = 0.0
    symmetric: bool = False


def _distance(name: str, meaning: str) -> Kind:
    return Kind(name, DISTANCE, _LOWER, meaning)


def _share(name: str, group: str, meaning: str, better: str = _HIGHER) -> Kind:
    return Kind(name, group, better, meaning, at_least=1)


def _copies(name: str, meaning: str) -> Kind:
    return Kind(name, MEMORY, _LOWER, meaning)


def _nearer(name: str, meaning: str) -> Kind:
    return Kind(name, MEMORY, "0.5 if nothing is learnt by heart", meaning, at_least=1)


def _memory_gap(name: str) -> Kind:
    meaning = "Below 0 the generated images are nearer to training images than to new ones: learnt by heart."
    return Kind(name, MEMORY, "about 0 if nothing is learnt by heart", meaning, symmetric=True)


def _gain(name: str, meaning: str, better: str = _HIGHER) -> Kind:
    return Kind(name, USE, better, meaning, symmetric=True)


KINDS = {
    "fid": _distance("FID", "How far the generated images as a whole are from the real ones: 0 if they are equal."),
    "kid": _distance("KID", "The same by a kernel, fair to small sets: around 0, even below, if there is no gap."),
    "fd": _distance("Fréchet distance", "FID's formula on another network's features: 0 if the sets are equal."),
    "kd": _distance("Kernel distance", "KID's formula on another network's features: around 0 if there is no gap."),
    "mind": _distance(
        "MIND",
        "Optimal transport between both sets, one direction after the other: not by means and covariances alone.",
    ),
    "sw": _distance("Sliced Wasserstein", "MIND's formula on another network's features: 0 if the sets are equal."),
    "holdout_fid": _distance("FID, held out", "FID from real images that were not trained on: it decides where it is."),
    "holdout_kid": _distance("KID, held out", "KID from real images that were not trained on: it decides where it is."),
    "holdout_fd": _distance("Fréchet distance, held out", "The same from real images that were not trained on."),
    "holdout_kd": _distance("Kernel distance, held out", "The same from real images that were not trained on."),
    "precision": _share(
        "Precision", FIDELITY, "Share of the generated images that lie among the real ones: are they believable?"
    ),
    "recall": _share(
        "Recall", FIDELITY, "Share of the real images that lie among the generated ones: is nothing missing?"
    ),
    "density": _share("Density", FIDELITY, "Precision that outliers cannot inflate: real images would score about 1."),
    "coverage": _share(
        "Coverage", FIDELITY, "Share of the real images with a generated one nearby; outliers do not help."
    ),
    "clipped_density": _share(
        "Clipped density",
        FIDELITY,
        "Share of the generated images that are as good as real ones; the rest lie nowhere.",
    ),
    "clipped_coverage": _share(
        "Clipped coverage", FIDELITY, "Share of the generated images that, as varied as real ones, would reach as far."
    ),
    "gap_fid": _memory_gap("FID, training less held out"),
    "gap_fd": _memory_gap("Fréchet distance, training less held out"),
    "authenticity": _share(
        "Authenticity",
        MEMORY,
        "Share of the generated images that are farther from a training image than its closest fellow is.",
    ),
    "copies": _copies(
        "Copies by features",
        "Share of the generated images that are nearer to a training image than new real images come, to the network.",
    ),
    "pixel_copies": _copies("Copies by pixels", "The same by pixels; shifted and mirrored copies are among them."),
    "nearer": _nearer(
        "Nearer by features",
        "How often a generated image singles a training image out more than training images do one another.",
    ),
    "pixel_nearer": _nearer("Nearer by pixels", "The same by pixels; shifted and mirrored images count as near."),
    "cas": _share(
        "Accuracy from generated", USE, "Of a classifier trained on generated images alone and tested on real ones."
    ),
    "cas_real": _share(
        "Accuracy from real", USE, "Of the same classifier trained on real images: the mark to compare with.", ""
    ),
    "cas_gap": _gain(
        "Gap in accuracy", "The first of these two less the second: below 0, generated images teach less."
    ),
    "augmentation_gain": _gain(
        "Gain by augmentation", "Accuracy that is gained when generated images join the real ones it trains on."
    ),
    "rare_recall_without": _share(
        "Recall of a rare class", USE, "Of a classifier trained when the class has few real images.", ""
    ),
    "rare_recall_augmented": _share("Recall, augmented", USE, "The same when generated images fill the class up."),
    "rare_recall_full": _share(
        "Recall, all real", USE, "The same with all of its real images: the mark to compare with.", ""
    ),
    "rare_recall_gain": _gain("Gain in recall", "What the generated images add to the recall of the rare class."),
    "rare_recall_headroom": _gain("Headroom", "What the real images that were left out add to that recall.", ""),
    "rare_f1_gain": _gain("Gain in F1", "What the generated images add to the F1 score of the rare class."),
    "rare_accuracy_gain": _gain("Gain in accuracy", "What they add to the accuracy over all classes."),
}
_KNOWN = re.compile(f"(?:{'|'.join(sorted(KINDS, key=len, reverse=True))})(?=_|[0-9]|$)")


def describe_metric(key: str) -> Kind:
    """Return what a key such as `fid10k`, `kid1437`, `cas` or `fd_dinov2_10k` stands for."""
    known = _KNOWN.match(key)
    if not known:
        return Kind(key, OTHER, "", "")
    # A number of images has nothing or an underscore before it: the 2 of dinov2 is none.
    network = re.sub(r"(^|_)[0-9]+k?$", "", key[known.end() :]).strip("_")
    kind = KINDS[known[0]]
    return kind._replace(name=f"{kind.name} ({network})") if network else kind


def rank(key: str) -> int:
    """Return where a key stands in the order of `KINDS`; unknown ones come last."""
    known = _KNOWN.match(key)
    return list(KINDS).index(known[0]) if known else len(KINDS)
