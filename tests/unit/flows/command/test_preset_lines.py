"""What `ganflow presets` prints: a line or a row for each, and one of them wholly."""

import json
import re

import pytest

from flows.command.preset_lines import Described, changes, describe, preset_lines, table_lines
from gan.configuration.config import Config
from gan.configuration.presets import PRESETS, preset
from gan.errors import ConfigError
from gan.networks.cost import NetworkCost

COST = NetworkCost(
    generator_parameters=1_234_567,
    discriminator_parameters=98_600,
    generator_flops=18_000_000,
    discriminator_flops=20_500_000,
    training_flops=17_307_426_816,
    training_bytes=989_199_000_000,
)


def described(name):
    return Described(name, (PRESETS[name].__doc__ or "").strip(), preset(name), COST)


def test_elsewhere_than_on_a_terminal_each_preset_is_one_line():
    lines = table_lines([described("debug"), described("cifar10")], terminal=False)
    assert lines[0].split() == ["preset", "for", "px", *["M", "in", "G", "M", "in", "D"], "GFLOP", "GB", "kimg"]
    for line, name, rest in zip(lines[1:3], ("debug", "cifar10"), ("16", "32"), strict=True):
        purpose = PRESETS[name].__doc__
        kimg = {"debug": "2", "cifar10": "5,000"}[name]
        assert re.split(r"\s{2,}", line) == [name, purpose, rest, "1.23", "0.0986", "17.3", "989", kimg]
    assert lines[3] == ""
    assert "10 classes" in lines[5]
    assert not any("\x1b" in line or line != line.rstrip() for line in lines)


def test_brackets_are_no_markup():
    assert "needs ganflow[few-shot]." in "\n".join(table_lines([described("few-shot-64")], terminal=False))


def test_on_a_terminal_names_and_figures_stay_whole(monkeypatch):
    for name, value in {"COLUMNS": "80", "LINES": "40", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    lines = table_lines([described(name) for name in PRESETS], terminal=True)
    assert "".join(lines).isprintable()
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    table = plain[: plain.index("")]
    assert max(map(len, table)) <= 80
    first = [line.split()[0] for line in table[1:] if line[0] != " "]
    assert first == list(PRESETS)
    assert all(line.split()[-3:-1] == ["17.3", "989"] for line in table[1:] if line[0] != " ")


def test_a_preset_shows_its_costs_and_what_it_changes():
    lines = preset_lines(described("debug"), changes(preset("debug")))
    assert lines[0] == f"debug: {PRESETS['debug'].__doc__}"
    assert lines[2:8] == [
        "images      16x16 pixels",
        "length      2 kimg in batches of 32",
        "parameters  G 1.23, D 0.0986 million",
        "forward     G 0.018, D 0.0205 GFLOP per image",
        "training    17.3 GFLOP per image",
        "memory      989 GB: what training holds on one worker in fp32 at least; `train --dry-run` counts all",
    ]
    start = lines.index("Keys that differ from their default:") + 1
    rows = [re.split(r"\s{2,}", line) for line in lines[start:]]
    assert ["data.resolution = 16", "side of the square images, in pixels (default: 32)"] in rows
    assert len(rows) == len(changes(preset("debug")))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_what_is_changed_makes_the_preset_of_the_defaults(name):
    tree = {section: model().model_dump(mode="json") for section, model in Config.sections()}
    for change in changes(preset(name)):
        section, key = change.key.split(".")
        assert tree[section][key] == change.default != change.value
        assert change.meaning
        tree[section][key] = change.value
    assert Config.model_validate(tree | {"preset": name}) == preset(name)


def test_figures_are_whole_numbers_in_json():
    figures = describe("debug").as_json()
    assert json.loads(json.dumps(figures)) == figures
    assert figures["resolution"] == 16
    assert figures["batch_size"] == 32
    assert figures["total_kimg"] == 2.0
    keys = set(NetworkCost.__dataclass_fields__)
    assert keys < set(figures)
    assert all(isinstance(figures[key], int) and figures[key] > 1000 for key in keys)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ConfigError, match="unknown preset «digit»"):
        describe("digit")
