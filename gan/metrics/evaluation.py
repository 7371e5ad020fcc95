"""The record of one evaluation, and the decision between a candidate and the champion that it serves."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, FiniteFloat, ValidationError

from gan.configuration.config import Frozen
from gan.data.files.atomic import write_whole
from gan.errors import InputError
from gan.metrics.estimate import Estimate
from gan.metrics.protocol import Protocol, require_equal

MIN_IMAGES_FOR_FID = 2048
"""Features have 2,048 dimensions: with fewer images their covariance is singular and FID's bias rules the score."""


class Metric(Frozen):
    """A score with its 95 % interval; low and high are None where no interval is known."""

    value: FiniteFloat
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    note: str = ""

    @classmethod
    def of(cls, estimate: Estimate, note: str = "") -> Self:
        """Take an estimate over."""
        return cls(value=estimate.value, low=estimate.low, high=estimate.high, note=note)


class Evaluation(Frozen):
    """Scores and the protocol that they hold under: the file evaluation.json.

    Attributes:
        format_version: 1 had no more than protocol, metrics and warnings, and is still read.
        protocol: what the scores hold under.
        metrics: by key; a key ends in the number of generated images that it is of.
        per_class: KID by class name.
        baseline: scores of held out real images in the place of generated ones: what a perfect generator would get.
        warnings: what a person should know before believing a score.
    """

    format_version: Literal[1, 2] = 2
    protocol: Protocol
    metrics: dict[str, Metric]
    per_class: dict[str, Metric] = Field(default_factory=dict)
    baseline: dict[str, Metric] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def values(self) -> dict[str, float]:
        """The plain numbers by key."""
        return {key: metric.value for key, metric in self.metrics.items()}

    def to_json(self, path: Path) -> None:
        """Write the record so that a reader sees the whole file or none of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def from_json(cls, path: Path) -> Self:
        """Read a record.

        Raises:
            InputError: the file is missing or is no evaluation of this format.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"the evaluation {path} cannot be read ({os.strerror(error.errno or 0)})") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise InputError(f"{path} is no evaluation that this version reads ({where}: {first['msg']})") from None


class Decision(Frozen):
    """Whether the candidate becomes champion, by which metric, and why."""

    promote: bool
    metric: str
    reason: str


def metric_key(name: str, count: int) -> str:
    """Return a metric's key with its number of generated images: `fid10k`, `kid1437`."""
    return f"{name}{count // 1000}k" if count % 1000 == 0 else f"{name}{count}"


def decide(candidate: Evaluation, champion: Evaluation | None) -> Decision:
    """Compare by FID, or by KID below 2,048 generated or reference images; only a lower score is promoted.

    Raises:
        ProtocolMismatchError: the two evaluations hold under different protocols.
        InputError: an evaluation lacks the metric that decides.
    """
    name = "kid" if too_few_for_fid(candidate.protocol) else "fid"
    key = metric_key(name, candidate.protocol.num_generated)
    value = _value(candidate, key)
    if champion is None:
        reason = f"there is no champion yet, so the candidate becomes it with {key} {value:.6g}"
        return Decision(promote=True, metric=key, reason=reason)
    require_equal(candidate.protocol, champion.protocol)
    best = _value(champion, key)
    verdict = "is lower than" if value < best else "is not lower than"
    reason = f"the candidate's {key} {value:.6g} {verdict} the champion's {best:.6g}"
    return Decision(promote=value < best, metric=key, reason=reason)


def too_few_for_fid(protocol: Protocol) -> bool:
    """Say whether a side has so few images that KID decides."""
    return min(protocol.num_generated, protocol.num_reference) < MIN_IMAGES_FOR_FID


def _value(evaluation: Evaluation, key: str) -> float:
    if key not in evaluation.metrics:
        raise InputError(f"the evaluation has no {key}, which decides here, but only {', '.join(evaluation.metrics)}")
    return evaluation.metrics[key].value
