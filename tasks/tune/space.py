"""What a search may change: keys with the values that they may take, and the trials that are drawn from them."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan.configuration.config import Config
from gan.configuration.parsing import apply_overrides
from gan.configuration.shaping import TRAINING_SECTIONS, WORKED_OFF
from gan.errors import ConfigError

WIDTHS = "network.widths"
WIDTHS_STEP = 16
"""A multiple of the preset's widths is rounded to these: what groups of convolutions have."""
FOLLOWERS = {
    "optimizer.lr": ("optimizer.final_lr",),
    "loss.r1_gamma": ("loss.final_r1_gamma", "loss.r2_gamma", "loss.final_r2_gamma"),
}
"""Keys that change in proportion with another, unless they are searched over themselves."""
OF_ALL_TRIALS = ("total_kimg", "checkpoint_kimg", "log_kimg", "seed", *WORKED_OFF)
"""Keys of `train` that are the same for all trials, or decide nothing."""
OPERATIONS: tuple[list[str], ...] = ([], ["translation"], ["colour", "translation", "cutout"])
_NUMBER = r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})(:log)?")
_TRIES = 100


@dataclass(frozen=True)
class Choice:
    """A key that takes one of some values, each equally likely."""

    key: str
    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """All values."""
        return self.values

    def draw(self, rng: np.random.Generator) -> Any:
        """Draw a value."""
        return self.values[int(rng.integers(len(self.values)))]

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.key}={'|'.join(map(written_value, self.values))}"


@dataclass(frozen=True)
class Range:
    """A key that takes a number from `low` to `high`; evenly by its logarithm if `log`; a whole one if `whole`."""

    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def ends(self) -> tuple[Any, ...]:
        """The lowest value and the highest."""
        return self._as_kept(self.low), self._as_kept(self.high)

    def draw(self, rng: np.random.Generator) -> Any:
        """Draw a number of three digits."""
        if self.log:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = rng.uniform(self.low, self.high)
        return self._as_kept(min(max(_short(value), self.low), self.high))

    def _as_kept(self, value: float) -> float | int:
        return round(value) if self.whole else value

    def __str__(self) -> str:
        """Write it as it is read."""
        low, high = self.ends
        return f"{self.key}={low!r}:{high!r}{':log' if self.log else ''}"


Dimension = Choice | Range


def parse_dimension(written: str, config: Config) -> Dimension:
    """Read `key=low:high`, `key=low:high:log` or `key=a|b|c`.

    Args:
        written: by a person.
        config: what trials begin as; each end of the range, and each choice, must fit it.

    Raises:
        ConfigError: it is none of these, the key shapes no training, or a value is out of the key's range.
    """
    key, equals, text = (part.strip() for part in written.partition("="))
    if not equals or not text:
        raise ConfigError(
            f"--search wants key=low:high, key=low:high:log or key=a|b|c, for example optimizer.lr=1e-4:1e-2:log, but "
            f"got «{written[:200]}»"
        )
    _require_shaping(key)
    found = _RANGE.fullmatch(text)
    dimension: Dimension = Choice(key, tuple(map(_value, text.split("|"))))
    if found:
        dimension = _range(key, found[1], found[2], log=found[3] is not None, config=config)
    for value in dimension.ends:
        apply_overrides(config, changes_of(config, {key: value}))
    return dimension


def _require_shaping(key: str) -> None:
    section, _, leaf = key.partition(".")
    if key not in dict(Config.keys_with_meaning()):
        raise ConfigError(f"--search: unknown key «{key[:200]}» (known keys: `ganflow presets --keys`)")
    if section not in TRAINING_SECTIONS:
        raise ConfigError(
            f"--search {key}: it shapes no training: search over keys of {', '.join(TRAINING_SECTIONS)}, and give "
            "others with --set"
        )
    if section == "train" and leaf in OF_ALL_TRIALS:
        raise ConfigError(
            f"--search {key}: it is the same for all trials: give it with --set, or --kimg for the length"
        )


def _range(key: str, low: str, high: str, *, log: bool, config: Config) -> Range:
    section, _, leaf = key.partition(".")
    whole = type(getattr(getattr(config, section), leaf)) is int and low.isdecimal() and high.isdecimal()
    found = Range(key, float(low), float(high), log=log, whole=whole)
    if not found.low < found.high or not math.isfinite(found.high - found.low):
        raise ConfigError(f"--search {key}={low}:{high}: the first number must be the lower one, and both finite")
    if found.log and found.low <= 0:
        raise ConfigError(f"--search {key}={low}:{high}:log: a range by logarithms begins above 0, not at {low}")
    return found


def default_space(config: Config, fixed: Sequence[str] = ()) -> dict[str, Dimension]:
    """The keys that matter for a configuration, around its own values.

    Args:
        config: what trials begin as.
        fixed: keys that a person has set, which are left alone.
    """
    loss, augment = config.loss, config.augment
    found: list[Dimension] = [_around("optimizer.lr", config.optimizer.lr, 3.0)]
    found += [
        _around(f"loss.{key}", getattr(loss, key), 5.0)
        for key in ("r1_gamma", "gradient_penalty")
        if getattr(loss, key) > 0
    ]
    own = list(augment.operations)
    found.append(Choice("augment.operations", (own, *(each for each in OPERATIONS if each != own))))
    if own and augment.final_probability is not None:
        found.append(Range("augment.final_probability", 0.1, 0.9))
    found.append(Choice(WIDTHS, (0.5, 1, 1.5)))
    return {each.key: each for each in found if each.key not in fixed}


def _around(key: str, value: float, factor: float) -> Range:
    return Range(key, _short(value / factor), _short(value * factor), log=True)


def search_space(config: Config, fixed: Sequence[str], searched: Sequence[str]) -> tuple[Dimension, ...]:
    """The default space with what a person wrote in the place of it, key by key.

    Raises:
        ConfigError: as `parse_dimension`.
    """
    written = [parse_dimension(each, config) for each in searched]
    return tuple((default_space(config, fixed) | {each.key: each for each in written}).values())


def changes_of(config: Config, values: dict[str, Any]) -> tuple[str, ...]:
    """Return `section.key=value` changes for the values of a trial, with those keys that change in proportion.

    Args:
        config: what the trial begins as.
        values: by key; numbers for `network.widths` are multiples of the configuration's own.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key == WIDTHS and isinstance(value, int | float):
            if value != 1:
                found[key] = [_multiple(width, value) for width in config.network.widths]
            continue
        found[key] = value
        own = _own(config, key)
        for follower in FOLLOWERS.get(key, ()):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if is_number and follower not in values and own and _own(config, follower):
                found[follower] = _short(_own(config, follower) * value / own)
    return tuple(f"{key}={written_value(value)}" for key, value in found.items())


def draw_trials(config: Config, space: Sequence[Dimension], count: int) -> tuple[tuple[str, ...], ...]:
    """Draw trials, each another one; the first is the configuration as it is.

    Which they are follows from the configuration's seed and the space; more trials begin with those of fewer. Where the
    space has fewer than so many, there are fewer.

    Raises:
        ConfigError: values of different keys do not go together.
    """
    rng = np.random.default_rng(config.train.seed)
    trials: list[tuple[str, ...]] = [()]
    known = {config.model_dump_json()}
    for _ in range(_TRIES * count):
        if len(trials) >= count:
            break
        changes = changes_of(config, {each.key: each.draw(rng) for each in space})
        tree = apply_overrides(config, changes).model_dump_json()
        if tree not in known:
            known.add(tree)
            trials.append(changes)
    return tuple(trials)


def written_value(value: Any) -> str:
    """Write a value as `--set` reads it: a text as it is, where it is not read as something else."""
    if isinstance(value, str) and _value(value) == value:
        return value
    return json.dumps(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def _own(config: Config, key: str) -> Any:
    section, _, leaf = key.partition(".")
    return getattr(getattr(config, section), leaf)


def _multiple(width: int, factor: float) -> int:
    return max(WIDTHS_STEP, round(width * factor / WIDTHS_STEP) * WIDTHS_STEP)


def _short(value: float) -> float:
    return float(f"{value:.3g}")
