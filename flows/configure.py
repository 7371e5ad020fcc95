"""From what a person gives, a preset's name and overrides, to a configuration: once, where a verb or a flow begins."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from gan.configuration.parsing import apply_data_overrides, require_possible
from gan.configuration.presets import preset as find_preset
from gan.configuration.provenance import Configuration, DataConfiguration
from gan.errors import InputError
from gan.release.quotas import read_quotas


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


def release_overrides(
    *,
    n: int | None = None,
    balance: str | None = None,
    fill: int | None = None,
    **others: str | float | None,
) -> list[str]:
    """Return the overrides that set keys of `release`, of those values that are given.

    Args:
        n: images.
        balance: `equal` or `real`; a file of quotas is for `quota_overrides`.
        fill: images that each class shall have together with the release.
        others: keys of the section by name, as `format`.

    Raises:
        InputError: two of them say how many images there are.
    """
    is_file = balance not in (None, "equal", "real")
    if fill is not None and balance is not None:
        raise InputError(f"both --fill {fill} and --balance {balance} say how many of each class: give one of them")
    if n is not None and (fill is not None or is_file):
        other = f"--balance {balance}" if is_file else f"--fill {fill}"
        raise InputError(f"both --n {n} and {other} say how many images: give one of them")
    filled = {} if fill is None else {"balance": "fill", "fill": fill}
    plain = {} if is_file or balance is None else {"balance": balance}
    values = {"num_images": n, **plain, **filled, **others}
    return [f"release.{key}={value}" for key, value in values.items() if value is not None]


def quota_overrides(balance: str | None, class_names: Sequence[str]) -> list[str]:
    """Return the overrides that set the quotas of a file, where `balance` names one.

    Raises:
        ReleaseError: the file is malformed, or names a class that the model does not know.
    """
    if balance in (None, "equal", "real"):
        return []
    quotas = read_quotas(Path(balance), class_names)
    return ["release.balance=quotas", f"release.quotas={json.dumps(quotas, ensure_ascii=False)}"]


def evaluation_overrides(**values: str | int | None) -> list[str]:
    """Return the overrides that set keys of `evaluation`, of those values that are given."""
    return [f"evaluation.{key}={value}" for key, value in values.items() if value is not None]
