"""The record of one evaluation: scores and the protocol that they hold under."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, FiniteFloat, ValidationError

from gan.configuration.config import Frozen
from gan.data.files.atomic import write_whole
from gan.errors import InputError
from gan.metrics.estimate import Estimate
from gan.metrics.protocol import Protocol

MIN_IMAGES_FOR_FID = 2048
"""Features have 2,048 dimensions: with fewer images their covariance is singular and FID's bias rules the score."""

HOLDOUT = "holdout_"
"""Begins the key of the score that decides where it is measured against images that were not trained on."""


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
        format_version: 1 had no more than protocol, metrics and warnings, 2 no `variety`; both are still read.
        protocol: what the scores hold under.
        metrics: by key; a key ends in the number of generated images that it is of.
        per_class: KID by class name.
        variety: by class name, or of `all images`, how much the generated ones differ from one another, by how much the
            real ones do.
        baseline: scores of held out real images in the place of generated ones: what a perfect generator would get.
        warnings: what a person should know before believing a score.
    """

    format_version: Literal[1, 2, 3] = 3
    protocol: Protocol
    metrics: dict[str, Metric]
    per_class: dict[str, Metric] = Field(default_factory=dict)
    variety: dict[str, Metric] = Field(default_factory=dict)
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


def fid_decides(generated: int, reference: int) -> bool:
    """Say whether there are images enough for FID to tell generators apart; below it KID does."""
    return min(generated, reference) >= MIN_IMAGES_FOR_FID


def deciding_key(evaluation: Evaluation) -> str:
    """Return the key of the score by which generators are told apart, whether or not the evaluation has it.

    FID, or KID below 2,048 images on a side: against the holdout where that was scored, else against the split that
    the other scores are of. So it is in records of before, where few images are held out, or where they are that split.
    """
    protocol = evaluation.protocol
    held_out = _deciding_key(HOLDOUT, protocol.num_generated, protocol.num_holdout)
    usual = _deciding_key("", protocol.num_generated, protocol.num_reference)
    return held_out if held_out in evaluation.metrics else usual


def _deciding_key(prefix: str, generated: int, reference: int) -> str:
    return metric_key(f"{prefix}{'fid' if fid_decides(generated, reference) else 'kid'}", generated)


def metric_key(name: str, count: int) -> str:
    """Return a metric's key with its number of generated images: `fid10k`, `kid1437`."""
    return f"{name}{count // 1000}k" if count % 1000 == 0 else f"{name}{count}"
