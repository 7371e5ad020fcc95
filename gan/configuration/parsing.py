"""A configuration from a tree of values, or from another one and overrides; every mistake in one sentence."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from gan.configuration.arguments import require_no_credentials
from gan.configuration.config import Config, DataConfig, NetworkConfig
from gan.errors import ConfigError

_SHOWN = 200  # characters of a wrong value


def parse_config(tree: dict[str, Any]) -> Config:
    """Build a `Config`, with every mistake collected in one sentence.

    Raises:
        ConfigError: a key is unknown, a value is out of range, or two values disagree.
    """
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item) for item in error.errors())) from None


def _explain(item: Any, section: str = "") -> str:
    key = ".".join(str(part) for part in ([section] if section else []) + list(item["loc"]))
    if item["type"] == "extra_forbidden":
        return f"unknown configuration key «{key}» (known keys: `ganflow presets --keys`)"
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    return f"{key} = {_short(repr(item['input']))}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def apply_overrides(config: Config, overrides: Sequence[str]) -> Config:
    """Return `config` with `section.key=value` strings applied; values are JSON, or plain text where JSON fails.

    Raises:
        ConfigError: an override is malformed, names an unknown key or gives a value that is out of range.
        InputError: an address in it carries a credential.
    """
    return parse_config(_overridden(config, overrides))


def apply_data_overrides(config: Config, overrides: Sequence[str]) -> DataConfig:
    """As `apply_overrides`, for ingesting alone: that the network fits the resolution is no concern there.

    Raises:
        ConfigError: an override is malformed, names an unknown key or gives a value that is out of range.
        InputError: an address in it carries a credential.
    """
    tree = _overridden(config, overrides)
    found: dict[str, Any] = {}
    for section, model in Config.sections():
        try:
            found[section] = model.model_validate(tree[section])
        except ValidationError as error:
            raise ConfigError("; ".join(_explain(item, section) for item in error.errors())) from None
    data: DataConfig = found["data"]
    return data


def require_possible(overrides: Sequence[str]) -> None:
    """Refuse overrides that fit no configuration, whatever it began as; that values agree is no concern here.

    Raises:
        ConfigError: an override is malformed, names an unknown key or gives a value that is out of range.
    """
    tree = _overridden(Config(), overrides)
    for section, model in Config.sections():
        try:
            model.model_validate(tree[section])
        except ValidationError as error:
            if wrong := [item for item in error.errors() if item["type"] != "value_error"]:
                raise ConfigError("; ".join(_explain(item, section) for item in wrong)) from None


def parse_network(tree: dict[str, Any]) -> NetworkConfig:
    """Build the section `network` alone of a configuration tree.

    Raises:
        ConfigError: a key is unknown, a value is out of range, or two values disagree.
    """
    try:
        return NetworkConfig.model_validate(tree.get("network"))
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item, "network") for item in error.errors())) from None


def _overridden(config: Config, overrides: Sequence[str]) -> dict[str, Any]:
    tree = config.model_dump(mode="json")
    for override in overrides:
        require_no_credentials(override)
        path, equals, text = override.partition("=")
        if not equals or not path:
            raise ConfigError(
                f"--set wants section.key=value, for example train.total_kimg=50, but got «{_short(override)}»"
            )
        *sections, leaf = path.strip().split(".")
        node: Any = tree
        for section in sections:
            node = node.get(section) if isinstance(node, dict) else None
        if not sections or not isinstance(node, dict) or leaf not in node:
            raise ConfigError(
                f"--set {_short(override)}: unknown key «{_short(path)}» (known keys: `ganflow presets --keys`)"
            )
        try:
            node[leaf] = json.loads(text)
        except (ValueError, RecursionError):
            node[leaf] = text
    return tree
