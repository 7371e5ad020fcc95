"""The section of a release's card on privacy: its own figures, and no word that one of them contradicts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.generate.manifest import EXACT_COPIES as EXACT
from tasks.generate.manifest import NEAR_COPIES as NEAR
from tasks.reports.markdown import cell, prose

_MOST = 40  # figures, and sentences
_DEEPEST = 4
_COPIED = """Copies show what real images show: treat the whole release as you have to treat the dataset that the
generator was trained on. No DP guarantee."""
_SHOWN = """{shown} of {all} figures show more than chance and their controls explain: look at the pairs in the report
before you hand the release on."""
_NOT_SHOWN = "None of {all} figures shows more than chance and its control explain."
_NO_PROOF = "No count proves that nothing of a person can be told from these images. No DP guarantee."


def privacy_section(manifest: Mapping[str, Any]) -> str:
    """Return what was counted of copies and attacks in this very release.

    Args:
        manifest: its `privacy` holds numbers by name, and the record of an audit as `audit`: `figures`, each with its
            `name`, a sentence `said` and whether something is `shown`, and `warnings`.
    """
    privacy = manifest["privacy"]
    audit = privacy.get("audit") if isinstance(privacy.get("audit"), Mapping) else {}
    figures = [each for each in audit.get("figures") or () if isinstance(each, Mapping) and "said" in each]
    lines = ["## Privacy", "", *_copies(privacy, figures, manifest["generation"]["num_images"])]
    if figures:
        lines += ["", *(f"- {prose(str(each['said']))}" for each in figures[:_MOST])]
    if warnings := audit.get("warnings"):
        lines += ["", *(f"> {prose(str(each))}" for each in list(warnings)[:_MOST])]
    others = {key: value for key, value in privacy.items() if key not in {EXACT, NEAR, "audit"}}
    if rows := list(numbers_of(others))[:_MOST]:
        table = [f"| {cell(key.replace('_', ' '))} | {value} |" for key, value in rows]
        lines += ["", "| figure | value |", "|---|---|", *table]
    return "\n".join(lines)


def _copies(privacy: Mapping[str, Any], figures: Sequence[Mapping[str, Any]], count: int) -> Iterator[str]:
    exact, near = privacy.get(EXACT), privacy.get(NEAR)
    if exact is None:
        yield "Whether images equal one that was trained on was not looked at in this release."
    else:
        yield f"{exact} of {count} images equal a training image pixel for pixel."
    if near is not None:
        yield f"{near} of {count} are near copies of one: nearer than new images of the same kind come."
        if near:
            yield "Look at these before you hand the release on."
    elif not any("copies" in str(each.get("name")) for each in figures):
        yield "Whether others come near to one was not looked at in this release."
    if figures:
        shown = sum(bool(each.get("shown")) for each in figures)
        yield (_SHOWN if shown else _NOT_SHOWN).format(shown=shown, all=len(figures))
    yield _COPIED if exact else _NO_PROOF


def numbers_of(tree: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every number of a tree of figures by its name, with its interval where it has one."""
    for key, value in tree.items():
        named = f"{before}{key}"
        number = number_of(value)
        if number is not None:
            low, high = (number_of(value.get(end)) if isinstance(value, Mapping) else None for end in ("low", "high"))
            interval = "" if low is None or high is None else f" ({low:.4g} to {high:.4g})"
            yield named, f"{number:.4g}{interval}"
        elif isinstance(value, Mapping) and depth < _DEEPEST:
            yield from numbers_of(value, f"{named}: ", depth + 1)


def number_of(value: Any) -> float | None:
    """Return a finite number, or that of a score with its interval; None where it is neither."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return float(value) if type(value) in {int, float} and math.isfinite(value) else None
