"""Near duplicates for people: the pairs as pictures on the page of an ingest, and all of them as a list."""

import json
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np

from gan.data.building.near import LEAST_ALIKE, NEAR, NEAR_HELD_OUT, SHOWN, NearDuplicates, NearPair
from gan.data.files.atomic import replacing
from gan.data.near_duplicates.near_pairs import CERTAIN, FEWEST_FOR_CHANCE
from gan.data.store.dataset import DatasetInfo
from gan.text.counted import counted
from tasks.reports.page import data_uris, fitting_side

NEAR_MEANINGS = {
    NEAR: "nearly equal to an image of its class that is kept",
    NEAR_HELD_OUT: "nearly equal to an image of its class that is held out: to train on it would spoil the measurement",
}

_KINDS = {
    "labels": ("Labels that contradict each other", "One of the two labels may be wrong; both images stay."),
    "splits": ("Between the splits", "One is trained on, and the measurement is against the other."),
    "within": ("Within a class", "Both are in the same split, with the same label if there are labels."),
    "beyond": ("Not taken for duplicates", "The nearest pairs beyond the threshold: none of these is called one."),
}
_PIXEL_BYTES = 1_500_000  # of all pictures of pairs, before PNG and base64


def write_pairs(path: Path, near: NearDuplicates) -> None:
    """Write every near duplicate as a line of JSON: paths, splits, labels, which can go, score and correlation."""
    with replacing(path) as draft, draft.open("w", encoding="utf-8") as file:
        for pair in near.pairs:
            line: dict[str, Any] = {"paths": pair.paths, "splits": pair.splits, "labels": pair.labels}
            line["droppable"] = [record in near.dropped for record in pair.records]
            line |= {"score": pair.score, "correlation": pair.alike}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def near_section(near: NearDuplicates, info: DatasetInfo) -> dict[str, Any]:
    """Return what the template `near_duplicates.html` takes."""
    side = fitting_side(info.resolution, len(near.images) * info.channels, _PIXEL_BYTES)
    # The pictures' addresses, in one go: packing many is several times faster.
    uris = data_uris(np.stack(list(near.images.values())), side) if near.images else []
    by_record = dict(zip(near.images, uris, strict=True))
    gone = set(near.dropped) if info.near_duplicates is not None else set()
    kinds = {kind: near.beyond if kind == "beyond" else near.of_kind(kind) for kind in _KINDS}
    return {
        "summary": _summary(near, dropped=info.near_duplicates is not None),
        "threshold": near.threshold,
        "strict": near.threshold <= CERTAIN,
        "fewest": FEWEST_FOR_CHANCE,
        "least_alike": LEAST_ALIKE,
        "pixelated": side <= 32,
        "groups": [
            {
                "title": _KINDS[kind][0],
                "meaning": _KINDS[kind][1],
                "count": len(pairs),
                "listed": kind != "beyond",
                "pairs": [_pictured(pair, near, by_record, gone) for pair in pairs[:SHOWN]],
            }
            for kind, pairs in kinds.items()
            if pairs
        ],
    }


def _summary(near: NearDuplicates, *, dropped: bool) -> str:
    counts = near.counts
    if not counts.pairs:
        return "No two images are nearly equal; of equal ones the first is kept."
    told = (
        f"{counted(counts.pairs, 'pair of images is', 'pairs of images are')} nearly equal: "
        f"{counts.within_class:,} within a class, {counts.between_classes:,} with labels that contradict each other, "
        f"{counts.between_splits:,} of an image to train on and one held out."
    )
    if dropped:
        return f"{told} Dropped are {counts.droppable:,} of the images to train on; those held out all stay."
    return f"{told} --drop-near-duplicates would drop {counts.droppable:,} of the images to train on, none held out."


def _pictured(pair: NearPair, near: NearDuplicates, uris: dict[int, str], gone: Set[int]) -> dict[str, Any]:
    images = [
        {"uri": uris[record], "path": path, "split": split, "label": label, "dropped": record in gone}
        for record, path, split, label in zip(pair.records, pair.paths, pair.splits, pair.labels, strict=True)
    ]
    differ = pair.score <= near.threshold and pair.alike < LEAST_ALIKE
    verdict = "their pixels differ" if differ else ""
    return {"images": images, "score": pair.score, "alike": pair.alike, "verdict": verdict}
