"""What `ganflow presets` prints: each preset with what it is for, what it changes and what it costs."""

import io
import json
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from gan.configuration.config import Config
from gan.configuration.presets import PRESETS
from gan.configuration.presets import preset as find_preset
from gan.networks.cost import NetworkCost, network_cost

CHANNELS, CLASSES = 3, 10
"""Of the dataset that costs are told for; others change little."""
ASSUMED = f"All for RGB images of {CLASSES} classes"
MEMORY = "what training holds on one worker in fp32 at least; `train --dry-run` counts all"
ENDLESS = 10_000
"""Columns where there is no terminal, so that a preset stays on its line."""


@dataclass(frozen=True)
class Described:
    """A preset by name, what it is for, its configuration, and what it costs."""

    name: str
    purpose: str
    config: Config
    cost: NetworkCost

    def as_json(self) -> dict[str, Any]:
        """Every figure of it, in the units of `NetworkCost`."""
        train = self.config.train
        return {
            "purpose": self.purpose,
            "resolution": self.config.network.resolution,
            "channels": CHANNELS,
            "num_classes": CLASSES,
            **asdict(self.cost),
            "batch_size": train.batch_size,
            "total_kimg": train.total_kimg,
        }


@dataclass(frozen=True)
class Change:
    """A key of a preset whose value is not the default."""

    key: str
    value: Any
    default: Any
    meaning: str


def describe(name: str) -> Described:
    """Return a preset with its costs.

    Raises:
        ConfigError: there is no preset of that name.
    """
    config = find_preset(name)
    return Described(name, (PRESETS[name].__doc__ or "").strip(), config, network_cost(config, CHANNELS, CLASSES))


def changes(config: Config) -> list[Change]:
    """Return the keys that differ from their defaults, in the order of `--keys`; values as JSON has them."""
    found = []
    for section, model in Config.sections():
        values, defaults = getattr(config, section).model_dump(mode="json"), model().model_dump(mode="json")
        found += [
            Change(f"{section}.{key}", values[key], defaults[key], field.description or "")
            for key, field in model.model_fields.items()
            if values[key] != defaults[key]
        ]
    return found


def table_lines(rows: list[Described], *, terminal: bool) -> list[str]:
    """A row for each preset: fitted into a terminal, else a line for each and no decoration."""
    table = Table(box=None, pad_edge=False)
    table.add_column("preset", no_wrap=True)
    table.add_column("for")
    for heading in ("px", "M in G", "M in D", "GFLOP", "GB", "kimg"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        cost, train = row.cost, row.config.train
        table.add_row(
            row.name,
            row.purpose,
            str(row.config.network.resolution),
            *(_short(count / 1e6) for count in (cost.generator_parameters, cost.discriminator_parameters)),
            *(_short(amount / 1e9) for amount in (cost.training_flops, cost.training_bytes)),
            _short(train.total_kimg),
        )
    page = io.StringIO()
    width = None if terminal else ENDLESS
    # Without colours: an answer carries nothing that a terminal obeys.
    console = Console(file=page, force_terminal=terminal, width=width, highlight=False, markup=False, color_system=None)
    console.print(table)
    lines = [line.rstrip() for line in page.getvalue().splitlines()]
    return [
        *lines,
        "",
        "M: million parameters. GFLOP: of one image through a training step. kimg: thousands of images to train on.",
        f"GB: {MEMORY}. {ASSUMED}.",
        "`ganflow presets NAME` shows one of them wholly.",
    ]


def preset_lines(described: Described, changed: list[Change]) -> list[str]:
    """One preset: purpose, costs, and every key that is not at its default."""
    cost, train, side = described.cost, described.config.train, described.config.network.resolution
    learned = [_short(count / 1e6) for count in (cost.generator_parameters, cost.discriminator_parameters)]
    forward = [_short(count / 1e9) for count in (cost.generator_flops, cost.discriminator_flops)]
    settings = [f"{change.key} = {json.dumps(change.value)}" for change in changed]
    width = max(len(setting) for setting in settings)
    return [
        f"{described.name}: {described.purpose}",
        "",
        f"images      {side}x{side} pixels",
        f"length      {_short(train.total_kimg)} kimg in batches of {train.batch_size}",
        f"parameters  G {learned[0]}, D {learned[1]} million",
        f"forward     G {forward[0]}, D {forward[1]} GFLOP per image",
        f"training    {_short(cost.training_flops / 1e9)} GFLOP per image",
        f"memory      {_short(cost.training_bytes / 1e9)} GB: {MEMORY}",
        f"            {ASSUMED}.",
        "",
        "Keys that differ from their default:",
        *(
            f"{setting:<{width}}  {change.meaning} (default: {json.dumps(change.default)})"
            for setting, change in zip(settings, changed, strict=True)
        ),
    ]


def _short(value: float) -> str:
    """Three digits, or all of a large number."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
