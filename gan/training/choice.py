"""How a run computes its steps: what the start-up probe chooses, and a checkpoint remembers."""

from dataclasses import asdict, dataclass
from typing import Any

from gan.configuration.vocabulary import TrainPrecision


@dataclass(frozen=True)
class Choice:
    """How a run computes its steps; a run keeps it when it is resumed.

    Attributes:
        bf16: whether networks run in bfloat16.
        compiled: whether the step is compiled.
        rates: images a second of this worker's that the probe measured, by candidate, 0 where memory was too small;
            empty where nothing was measured.
        spared: cores that the worker has and leaves alone.
        tf32: whether a GPU rounds the factors of products in fp32 to 10 bits of mantissa.
        captured: whether a GPU replays the gradients of a step as graphs.
    """

    bf16: bool
    compiled: bool
    rates: dict[str, float]
    spared: int = 0
    tf32: bool = False
    captured: bool = False

    @property
    def precision(self) -> TrainPrecision:
        """As `train.precision` says it."""
        return "bf16" if self.bf16 else "tf32" if self.tf32 else "fp32"

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.precision + " compiled" * self.compiled + " captured" * self.captured

    def __str__(self) -> str:
        """Return the choice and what was measured, as in «bf16 (img/s: fp32 212, bf16 330)»."""
        rates = ", ".join(f"{name} {f'{rate:.0f}' if rate else 'no room'}" for name, rate in self.rates.items())
        spared = ", a core left to the scores" if self.spared else ""
        return f"{self.name}{spared}" + (f" (img/s: {rates})" if rates else "")

    def as_header(self) -> dict[str, Any]:
        """What a checkpoint says of it."""
        return asdict(self)
