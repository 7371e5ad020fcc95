"""The table in docs/training.md of what steps take, and on which cards, is what is counted."""

from functools import lru_cache
from pathlib import Path

import pytest

import gan
from gan.configuration.presets import PRESETS
from gan.training.step_memory import in_pieces

PAGE = (Path(gan.__file__).parent.parent / "docs" / "training.md").read_text("utf-8")
CARDS, FREE = (16, 24, 40, 80), 0.9
MOST = 64


def rows():
    table = PAGE[PAGE.index("**On which cards.**") :].split("\n\n")[1].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    return {row[0].strip("`"): row[1:] for row in cells}


@lru_cache
def counted(name, count=1, *, bf16=True, checkpointed=False):
    config = PRESETS[name]()
    train = config.train.model_copy(update={"checkpoint_activations": checkpointed})
    return in_pieces(
        config.model_copy(update={"train": train}),
        count,
        channels=3,
        num_classes=10,
        images=config.train.batch_size,
        bf16=bf16,
    )


def shown(number):
    return f"{number / 1e9:.{2 if number < 1e9 else 1 if number < 1e11 else 0}f}"


def least(name, card):
    """The least power of two that fits."""
    count = 1
    while counted(name, count) > FREE * card * 1e9:
        count *= 2
        if count > MOST:
            return "—"
    return str(count)


def wanted(name):
    residual = PRESETS[name]().network.architecture == "r3gan"
    return [
        shown(counted(name, bf16=False)),
        shown(counted(name)),
        shown(counted(name, checkpointed=True)) if residual else "—",
        *(least(name, card) for card in CARDS),
    ]


def test_every_preset_is_there():
    assert set(rows()) == set(PRESETS)


@pytest.mark.parametrize("name", ["digits", "wgan-gp-32", "cifar10"])
def test_what_is_said_is_what_is_counted(name):
    assert rows()[name] == wanted(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PRESETS if name not in ("digits", "wgan-gp-32", "cifar10")])
def test_what_is_said_of_the_others(name):
    assert rows()[name] == wanted(name)
