"""The section of a release's card on privacy: its own figures, and no word that one of them contradicts."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.reports.markdown import cell

EXACT, NEAR = "exact_copies_of_training_images", "near_copies_of_training_images"
_MOST_ROWS, _DEEPEST = 40, 4
# What figures mean that people ask for; others stand by their own names.
_TERMS = {
    "dcr_share": "share nearer to an image that was trained on than to one held out (0.5: nothing is learnt by heart)",
    "nndr": "distance to the nearest over that to the second nearest (near 0: copies)",
    "membership_auc": "attack that guesses what was trained on, area under its curve (0.5: it guesses)",
    "membership_control_auc": "the same attack on members against members, where there is nothing to find",
}
_COPIED = """Copies show what real images show: treat the whole release as you have to treat the dataset that the
generator was trained on. No DP guarantee."""
_NO_PROOF = "No count proves that nothing of a person can be told from these images. No DP guarantee."


def privacy_section(manifest: Mapping[str, Any]) -> str:
    """Return what was counted of copies and attacks in this very release."""
    privacy = manifest["privacy"]
    rows = [row for row in _figures(privacy) if row[0] not in {EXACT, NEAR}][:_MOST_ROWS]
    table = [f"| {_TERMS.get(key) or cell(key.replace('_', ' '))} | {value} |" for key, value in rows]
    attack = _attack(privacy)
    return "\n".join(
        [
            *("## Privacy", "", *_copies(privacy, manifest["generation"]["num_images"])),
            *(["", "| figure | value |", "|---|---|", *table] if table else []),
            *(["", attack] if attack else []),
        ]
    )


def _copies(privacy: Mapping[str, Any], count: int) -> Iterator[str]:
    exact, near = privacy.get(EXACT), privacy.get(NEAR)
    if exact is None:
        yield "Whether images equal one that was trained on was not looked at in this release."
    else:
        yield f"{exact} of {count} images equal a training image pixel for pixel."
    if near is None:
        yield "Whether others come near to one was not looked at in this release."
    else:
        yield f"{near} of {count} are near copies of one: nearer than new images of the same kind come."
        if near:
            yield "Look at these before you hand the release on."
    yield _COPIED if exact else _NO_PROOF


def _attack(privacy: Mapping[str, Any]) -> str:
    """Say what an attack is worth beside its control."""
    attack, control = (_number(privacy.get(key)) for key in ("membership_auc", "membership_control_auc"))
    if attack is None or control is None:
        return ""
    if control >= attack:
        return "The control is as high as the attack, so the attack shows nothing, for or against."
    return "An attack above its control has found something of what was trained on."


def _figures(tree: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every number of a tree of figures by its name, with its interval where it has one."""
    for key, value in tree.items():
        named = f"{before}{key}"
        if (number := _number(value)) is not None:
            low, high = (_number(value.get(end)) if isinstance(value, Mapping) else None for end in ("low", "high"))
            interval = "" if low is None or high is None else f" ({low:.4g} to {high:.4g})"
            yield named, f"{number:.4g}{interval}"
        elif isinstance(value, Mapping) and depth < _DEEPEST:
            yield from _figures(value, f"{named}: ", depth + 1)


def _number(value: Any) -> float | None:
    if isinstance(value, Mapping):
        value = value.get("value")
    return float(value) if type(value) in {int, float} and math.isfinite(value) else None
