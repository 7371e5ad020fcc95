"""From what a person gives, a preset's name and overrides, to a configuration: once, where a verb or a flow begins."""

from collections.abc import Callable, Sequence

from gan.configuration.parsing import apply_data_overrides, require_possible
from gan.configuration.presets import preset as find_preset
from gan.configuration.provenance import Configuration, DataConfiguration


def resolve_config(preset: str, overrides: Sequence[str]) -> Configuration:
    """Return the preset with the overrides applied.

    Raises:
        ConfigError: the preset or a key is unknown, or a value is out of range.
    """
    return Configuration(origin="preset", name=preset, config=find_preset(preset)).changed(*overrides)


def resolve_data(preset: str, overrides: Sequence[str]) -> DataConfiguration:
    """Return how the preset, with the overrides applied, prepares images.

    Raises:
        ConfigError: the preset or a key is unknown, or a value of `data` is out of range.
    """
    config = apply_data_overrides(find_preset(preset), overrides)
    return DataConfiguration(origin="preset", name=preset, changes=tuple(overrides), config=config)


def resolve_own(preset: str | None, overrides: Sequence[str], own: Callable[[], Configuration]) -> Configuration:
    """Return what a run, a model or a checkpoint says of itself with the overrides applied, or a preset in its place.

    Args:
        preset: None: its own.
        overrides: `section.key=value` changes.
        own: reads its own.

    Raises:
        ConfigError: the preset or a key is unknown, or a value is out of range.
    """
    return own().changed(*overrides) if preset is None else resolve_config(preset, overrides)


def require_resolvable(preset: str | None, overrides: Sequence[str]) -> None:
    """Refuse what `resolve_own` would refuse of any run or model, before one is looked for.

    Raises:
        ConfigError: the preset or a key is unknown, or a value is out of range.
    """
    if preset is None:
        require_possible(overrides)
    else:
        resolve_config(preset, overrides)


def evaluation_overrides(**values: str | int | None) -> list[str]:
    """Return the overrides that set keys of `evaluation`, of those values that are given."""
    return [f"evaluation.{key}={value}" for key, value in values.items() if value is not None]
