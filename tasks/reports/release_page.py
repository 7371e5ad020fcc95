"""The page about one release: whether it is fit, what was looked at, samples, suspected copies; one file by itself.

It may show training images, beside what may be copies of them: it is for whoever makes releases, and is no part of one.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gan.data.store.dataset import UNLABELLED_NAME
from gan.evaluation.pictures import Pair
from tasks.reports.page import data_uris, render

_SIDE = 96


def release_html(manifest: Mapping[str, Any], samples: bytes, pairs: Sequence[Pair], against: Sequence[str]) -> str:
    """Describe a release; nothing of the time or place goes in.

    Args:
        manifest: what `manifest.json` says.
        samples: the PNG of its samples.
        pairs: generated images with the training images that they may be copies of.
        against: why it is not fit to be handed on; nothing where it is.
    """
    selection = manifest.get("selection") or {}
    asked = selection.get("asked") or manifest["generation"]["num_images"]
    rejected = selection.get("rejected") or {}
    totals = {reason: sum(by_class.values()) for reason, by_class in rejected.items()}
    return render(
        "release.html",
        manifest=manifest,
        samples="data:image/png;base64," + base64.b64encode(samples).decode(),
        against=list(against),
        checks=manifest.get("checks") or [],
        notes=list(manifest.get("unchecked") or []),
        counts=[(name, count) for name, count in manifest["counts"].items() if name != UNLABELLED_NAME],
        truncation=manifest["generation"].get("truncation"),
        asked=asked,
        rejected=[(reason, count, f"{count / asked:.2%}") for reason, count in totals.items()],
        chosen=list(_by_class(selection.get("asked_by_class") or {}, rejected)),
        lost=selection.get("coverage_lost"),
        figures=(manifest["privacy"].get("audit") or {}).get("figures") or [],
        pairs=[_pair(each) for each in pairs],
    )


def _by_class(
    asked: Mapping[str, int], rejected: Mapping[str, Mapping[str, int]]
) -> Iterator[tuple[str, int, str, list[str]]]:
    """Yield each class with the images drawn of it, the share that was kept, and the share rejected by each reason."""
    for name, drawn in asked.items():
        lost = [by_class.get(name, 0) for by_class in rejected.values()]
        if name != UNLABELLED_NAME and drawn:
            yield name, drawn, f"{1 - sum(lost) / drawn:.2%}", [f"{each / drawn:.2%}" for each in lost]


def _pair(pair: Pair) -> dict[str, str]:
    ours, theirs = (data_uris(np.asarray(image)[np.newaxis], _SIDE)[0] for image in (pair.generated, pair.training))
    return {"label": pair.label, "generated": ours, "training": theirs, "score": f"{pair.score:.3g}"}
