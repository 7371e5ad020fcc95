"""Whether two trainings gave the same generator: their weights bit by bit, their scores, and what may explain it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from gan.errors import CheckpointError, ProtocolMismatchError
from gan.metrics.evaluation import Evaluation
from gan.metrics.protocol import require_equal
from gan.training.checkpoint import load_tensors
from gan.training.header import Header

NETWORK = "G_ema"
FACTS = ("torch", "device", "workers", "threads")


class Weights(BaseModel):
    """The weights of a generator, then and now.

    Attributes:
        then: sha256 of all tensors with their names, types and shapes.
        now: likewise.
        difference: the norm of the difference by the norm of then's; None where their shapes differ.
    """

    model_config = ConfigDict(frozen=True)

    then: str
    now: str
    difference: float | None

    @property
    def equal(self) -> bool:
        """Whether every bit is the same."""
        return self.then == self.now


class Reproduced(BaseModel):
    """What came of training a version once more.

    Attributes:
        version: of the registered model.
        run_id: the run that it came from.
        reproduction: the run that was made now.
        equal: whether weights and scores are the very same.
        weights: of both.
        scores: by key, then and now; empty where they hold under different protocols.
        differs: what is not as it was, a sentence each.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    run_id: str
    reproduction: str
    equal: bool
    weights: Weights
    scores: dict[str, tuple[float, float]]
    differs: tuple[str, ...]


def compare_weights(then: Path, now: Path) -> Weights:
    """Compare G_ema of two checkpoints.

    Raises:
        CheckpointError: a checkpoint is damaged, or has no such network.
    """
    a, b = _weights(then), _weights(now)
    same_shapes = {name: value.shape for name, value in a.items()} == {name: value.shape for name, value in b.items()}
    return Weights(
        then=weights_sha256(a), now=weights_sha256(b), difference=_relative_difference(a, b) if same_shapes else None
    )


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """Return the sha256 over the tensors of a network, each behind its name, type and shape."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data if value.numel() else b"")
    return digest.hexdigest()


def compare_scores(then: Evaluation, now: Evaluation) -> tuple[dict[str, tuple[float, float]], list[str]]:
    """Scores by key, then and now, and what keeps them from being compared or makes them differ."""
    try:
        require_equal(then.protocol, now.protocol)
    except ProtocolMismatchError as error:
        return {}, [str(error)]
    both = {key: (value, now.values[key]) for key, value in then.values.items() if key in now.values}
    differs = [f"{key} was {a:.6g} and is {b:.6g}" for key, (a, b) in both.items() if a != b]
    return both, differs


def compare_machines(then: Header, now: Header) -> list[str]:
    """What computed the one and not the other, and where the checkpoints were taken."""
    facts = [(key, then.machine.get(key), now.machine.get(key)) for key in FACTS]
    found = [f"{key} was {_said(a)} and is {_said(b)}" for key, a, b in facts if a != b]
    if then.cur_nimg != now.cur_nimg:
        found.append(f"the checkpoint was taken at {then.cur_nimg:,} images and is taken at {now.cur_nimg:,}")
    return found


def _said(fact: Any) -> str:
    return "not recorded" if fact is None else str(fact)


def _weights(checkpoint: Path) -> dict[str, Tensor]:
    found = load_tensors(checkpoint, torch.device("cpu")).get(NETWORK)
    if not isinstance(found, dict) or not all(isinstance(each, Tensor) for each in found.values()):
        raise CheckpointError(f"{checkpoint} has no {NETWORK}: name another checkpoint")
    return found


def _relative_difference(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    apart = sum(float((a[name].double() - b[name].double()).square().sum()) for name in a)
    whole = sum(float(value.double().square().sum()) for value in a.values())
    return float((apart / whole) ** 0.5) if whole else 0.0
