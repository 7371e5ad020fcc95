"""A configuration together with where it comes from: what flows hand to each other, and what records say of it."""

from typing import Literal, Self

from gan.configuration.config import Config, DataConfig, EvaluationConfig, Frozen
from gan.configuration.parsing import apply_overrides

Origin = Literal["preset", "checkpoint", "run", "version"]


class Provenance(Frozen):
    """What a configuration began as, and what was changed of it.

    Attributes:
        origin: what carries it: a preset, a checkpoint folder, a training run, or a version of the registered model.
        name: of that.
        changes: `section.key=value`, in the order in which they were made.
    """

    origin: Origin
    name: str
    changes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it in words: `of run 0123abcd, with evaluation.num_images=200`."""
        return f"of {self.origin} {self.name}" + (f", with {', '.join(self.changes)}" if self.changes else "")


class DataConfiguration(Provenance):
    """How images are prepared, whatever the network is made for."""

    config: DataConfig


class Configuration(Provenance):
    """All of it."""

    config: Config

    @property
    def data(self) -> DataConfiguration:
        """The part of it that ingesting reads."""
        return DataConfiguration(origin=self.origin, name=self.name, changes=self.changes, config=self.config.data)

    def changed(self, *overrides: str) -> Self:
        """Return it with further `section.key=value` strings applied.

        Raises:
            ConfigError: one is malformed, names an unknown key or gives a value that is out of range.
        """
        config = apply_overrides(self.config, overrides)
        return self.model_copy(update={"changes": (*self.changes, *overrides), "config": config})

    def without_word_of(self, key: str) -> Self:
        """Return it with the same settings, of which one is not told: it decides nothing about what is made."""
        return self.model_copy(update={"changes": tuple(c for c in self.changes if c.partition("=")[0] != key)})

    def measuring(self, evaluation: EvaluationConfig) -> Self:
        """Return it with what the section `evaluation` became on this hardware, which is no change of a person's."""
        return self.model_copy(update={"config": self.config.model_copy(update={"evaluation": evaluation})})
