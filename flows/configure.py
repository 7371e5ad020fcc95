"""From a preset's name and overrides to a configuration, the same for every flow and verb."""

from collections.abc import Sequence

from gan.config import Config, DataConfig, apply_data_overrides, apply_overrides
from gan.presets import preset as find_preset


def resolve_config(preset: str, overrides: Sequence[str]) -> Config:
    """Return the preset with the overrides applied.

    Raises:
        ConfigError: the preset or a key is unknown, or a value is out of range.
    """
    return apply_overrides(find_preset(preset), overrides)


def resolve_data(preset: str, overrides: Sequence[str]) -> DataConfig:
    """Return how the preset, with the overrides applied, prepares images.

    Raises:
        ConfigError: the preset or a key is unknown, or a value of `data` is out of range.
    """
    return apply_data_overrides(find_preset(preset), overrides)


def evaluation_overrides(**values: str | int | None) -> list[str]:
    """Return the overrides that set keys of `evaluation`, of those values that are given."""
    return [f"evaluation.{key}={value}" for key, value in values.items() if value is not None]
