"""The record of one evaluation, and the decision between a candidate and the champion that it serves."""

import os
import tempfile
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat, ValidationError

from gan.config import Frozen
from gan.errors import InputError
from gan.metrics.frechet import fid
from gan.metrics.kid import kid
from gan.metrics.protocol import Protocol, require_equal

Features = npt.NDArray[np.floating[Any]]

MIN_IMAGES_FOR_FID = 2048
"""Features have 2,048 dimensions: with fewer images their covariance is singular and FID's bias rules the score."""


class Metric(Frozen):
    """A score with its 95 % interval; low and high are None where no interval is known."""

    value: FiniteFloat
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    note: str = ""


class Evaluation(Frozen):
    """Scores and the protocol that they hold under: the file evaluation.json."""

    format_version: Literal[1] = 1
    protocol: Protocol
    metrics: dict[str, Metric]
    warnings: list[str] = Field(default_factory=list)

    def to_json(self, path: Path) -> None:
        """Write the record so that a reader sees the whole file or none of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(self.model_dump_json(indent=2) + "\n")
            # mkstemp makes files that only their owner can read
            os.chmod(name, 0o644)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)

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


def evaluate_features(generated: Features, reference: Features, protocol: Protocol) -> Evaluation:
    """Score the features of generated images against those of reference images.

    Args:
        generated: [protocol.num_generated, 2048] of any float dtype.
        reference: [protocol.num_reference, 2048] of any float dtype.
        protocol: what the features were made under.

    Returns:
        FID, without an interval, and KID with a 95 % interval.

    Raises:
        InputError: there are fewer than 4 images on a side, which gives no interval.
        ValueError: there are more or fewer features than the protocol says.
    """
    counts = (len(generated), len(reference))
    if counts != (protocol.num_generated, protocol.num_reference):
        raise ValueError(
            f"there are {counts[0]} generated and {counts[1]} reference features, but the protocol says "
            f"{protocol.num_generated} and {protocol.num_reference}"
        )
    if min(counts) < 4:
        raise InputError(
            f"an evaluation needs at least 4 images on each side, but there are {counts[0]} generated and "
            f"{counts[1]} reference images: raise evaluation.num_images or use a larger dataset"
        )
    kernel = kid(generated, reference)
    half_width = 1.96 * kernel.standard_error
    if kernel.interval_subset_size == kernel.subset_size:
        note = f"mean over {kernel.subsets} subsets of {kernel.subset_size} images"
    else:
        note = f"all images at once; interval from {kernel.subsets} subsets of {kernel.interval_subset_size} images"
    metrics = {
        metric_key("fid", counts[0]): Metric(value=fid(generated, reference)),
        metric_key("kid", counts[0]): Metric(
            value=kernel.mean, low=kernel.mean - half_width, high=kernel.mean + half_width, note=note
        ),
    }
    return Evaluation(protocol=protocol, metrics=metrics, warnings=_warnings(protocol))


def decide(candidate: Evaluation, champion: Evaluation | None) -> Decision:
    """Compare by FID, or by KID below 2,048 generated or reference images; only a lower score is promoted.

    Raises:
        ProtocolMismatchError: the two evaluations hold under different protocols.
        InputError: an evaluation lacks the metric that decides.
    """
    name = "kid" if _few(candidate.protocol) else "fid"
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


def _few(protocol: Protocol) -> bool:
    return min(protocol.num_generated, protocol.num_reference) < MIN_IMAGES_FOR_FID


def _value(evaluation: Evaluation, key: str) -> float:
    if key not in evaluation.metrics:
        raise InputError(f"the evaluation has no {key}, which decides here, but only {', '.join(evaluation.metrics)}")
    return evaluation.metrics[key].value


def _warnings(protocol: Protocol) -> list[str]:
    if not _few(protocol):
        return []
    return [
        f"FID is strongly biased below {MIN_IMAGES_FOR_FID} images (here {protocol.num_generated} generated and "
        f"{protocol.num_reference} reference): KID decides"
    ]
