"""The sections of a release's card on what it is for, what it is not for, and what is known to be wrong with it."""

from collections.abc import Iterator, Mapping
from typing import Any

from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.variety import COLLAPSED
from tasks.reports.markdown import cell, name

_MOST_CLASSES = 30
_MOST_NAMED = 10
_SMALL = 50  # images of a class below which a person should know of it
INTENDED = """## Intended use

- Trying whether they help a classifier of these classes, beside real images and in rare classes above all: measure it,
  no gain is promised.
- Trying out programs that read, move or label such images, where the real ones are not at hand."""
_OUT_OF_SCOPE = """## Out of scope

- Measuring how good a classifier is: that takes real images, which the generator has not seen.
- Counting how often something occurs: {balance}, and within a class the generator draws some looks too often.
- Telling anything of a person or a thing that one of these images seems to show: it does not exist, or is a copy.
- Training a further generator as if these were real images: each such round loses variety.
- Classes, sizes and circumstances that the dataset does not have, and decisions about people."""
_BALANCE = {
    "equal": "the images of each class are equally many because that was asked for",
    "real": "the classes have the proportions of the dataset, not of the world",
    "fill": "the classes have what the dataset lacked of them",
}


_SEEN = """- Images are as near to real ones as the scores below say, in the eyes of one network: single ones may be
  wrong in ways that no score sees, and a label is what was asked for, not what somebody saw.
- What the dataset lacks or shows one-sidedly is lacking or one-sided here."""
_TRUNCATED = """- Truncation {psi:g} drew the images nearer to the mean of their class than the model draws them: they
  vary less. What was measured of the model, as below, was measured without it."""
_UNMEASURED = "- No figure by class was measured of the model: a class may be worse than the whole."


def uses_sections(manifest: Mapping[str, Any]) -> str:
    """Return what the release is for, and what it is not for."""
    asked = _BALANCE.get(str(manifest["generation"].get("balance", "equal")), "images of each class were asked for")
    if len(manifest["counts"]) < 2:
        asked = "how many there are was asked for"
    return f"{INTENDED}\n\n{_OUT_OF_SCOPE.format(balance=asked)}"


def limits_section(manifest: Mapping[str, Any], evaluation: Evaluation) -> str:
    """Return what is known to be wrong, by class where that was measured of the model."""
    psi = manifest.get("generation", {}).get("truncation")
    truncated = [] if psi is None else [_TRUNCATED.format(psi=psi)]
    lines = ["## Known limits", "", _SEEN, *truncated, *_sentences(manifest["counts"], evaluation)]
    rows = list(_classes(evaluation))
    if not rows:
        return "\n".join([*lines, _UNMEASURED])
    more = f"the {_MOST_CLASSES} worst of {len(rows)} classes" if len(rows) > _MOST_CLASSES else "the worst class first"
    lines.append(f"- By class, as measured when the model was registered, {more}; real images have variety 1.")
    lines += ["", "| class | KID (lower is better) | variety |", "|---|---|---|"]
    lines += [f"| {cell(each)} | {kid} | {variety} |" for each, kid, variety in rows[:_MOST_CLASSES]]
    return "\n".join(lines)


def _sentences(counts: Mapping[str, int], evaluation: Evaluation) -> Iterator[str]:
    lost = [each for each, metric in evaluation.variety.items() if metric.value < COLLAPSED]
    if lost:
        where = f" in {_listed(lost)}" if evaluation.per_class else ""
        yield f"- Nearly all images look alike{where}: they have less than {COLLAPSED:g} of real images' variety."
    if len(counts) > 1:
        if none := [each for each, count in counts.items() if count == 0]:
            yield f"- There is no image of {_listed(none)}."
        if few := [each for each, count in counts.items() if 0 < count < _SMALL]:
            yield f"- There are fewer than {_SMALL} images of {_listed(few)}."
        if evaluation.per_class and (unknown := [each for each in counts if each not in evaluation.per_class]):
            yield f"- How good images of {_listed(unknown)} are was not measured: there were too few for it."


def _classes(evaluation: Evaluation) -> Iterator[tuple[str, str, str]]:
    """Yield the classes, the worst by KID first, those without one last."""
    names = list(dict.fromkeys((*evaluation.per_class, *(evaluation.variety if evaluation.per_class else ()))))
    kid, variety = evaluation.per_class, evaluation.variety
    for each in sorted(names, key=lambda each: -kid[each].value if each in kid else float("inf")):
        yield each, _score(kid.get(each)), f"{variety[each].value:.2f}" if each in variety else "–"


def _score(metric: Metric | None) -> str:
    if metric is None:
        return "–"
    interval = "" if metric.low is None or metric.high is None else f" ({metric.low:.4g} to {metric.high:.4g})"
    return f"{metric.value:.4g}{interval}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(name, names[:_MOST_NAMED])) + more
