"""The page about a source before it is ingested: what `--dry-run` says, with pictures of each class."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gan.data.building.preview import Preview
from tasks.ingest.found import found_facts
from tasks.ingest.report import (
    CLASSES_LISTED,
    NOTES_LISTED,
    NOTES_OPEN,
    class_rows,
    pictured_side,
    reason_rows,
    strips,
)
from tasks.reports.page import render

PICTURES_PER_CLASS = 10


def look_html(found: Preview, pictures: Mapping[str, NDArray[np.uint8]]) -> str:
    """Describe a source.

    Args:
        found: what is in it.
        pictures: class name to `[n, R, R, C]` uint8.
    """
    side = pictured_side(pictures)
    splits = {split: sum(of.values()) for split, of in found.counts.items()}
    own = splits if set(splits) != {"all"} else {}
    reasons = Counter(found.rejects) + Counter(found.unreadable)
    return render(
        "look.html",
        title=found.name,
        totals=[*(own or {"images": found.records}).items(), ("classes", found.classes)],
        notes=found.notes[:NOTES_LISTED],
        more_notes=max(0, len(found.notes) - NOTES_LISTED),
        notes_open=NOTES_OPEN,
        found=list(
            found_facts(found.kind, found.files, found.asked, own, found.classes, found.sides, values=found.values)
        ),
        classes=class_rows(found.counts) if found.counts else [],
        columns=list(own) or ["images"],
        listed=CLASSES_LISTED,
        strips=strips(pictures, side),
        side=side,
        shrunk=any(side < images.shape[1] for images in pictures.values()),
        num_classes=found.classes,
        reasons=reason_rows(reasons),
        num_rejects=reasons.total(),
        sampled=found.sampled,
    )
