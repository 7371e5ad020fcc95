"""What of a configuration shapes a training: two runs that agree in it can go on as each other."""

from typing import Any

TRAINING_SECTIONS = ("network", "loss", "augment", "optimizer", "train")
"""Sections that shape a training; the others say what comes before and after it."""
WORKED_OFF = (
    "accumulate",
    "capture",
    "checkpoint_activations",
    "reduce_precision",
    "deterministic",
    "most_bad_steps",
)
"""Keys of `train` that say how a step is worked off, not what it does: as with the number of workers, a run may go on
with others."""
LATER: dict[str, dict[str, Any]] = {
    "network": {
        "discriminator_embedding_dim": None,
        "class_scale": "unit",
        "upsampling": "edges",
        "transitions": "all",
        "fp32_stages": 1,
        "feature_side": 256,
        "mixed_width": 64,
    },
    "loss": {"penalty_input": "augmented"},
    "augment": {"colour_share": 1.0, "target": None, "adapt_kimg": 500.0},
    "train": {
        "ema_rampup": 0.1,
        "fresh_generator_batch": False,
        "warm_start": "whole",
        "freeze_d": 0,
        "standing_images": 0,
    },
}
"""Keys that came later, and what trainings did before they had them."""


def shaping(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the sections that shape a training, with what they did where they do not say so.

    Args:
        tree: of a configuration, which any ganflow may have written.
    """
    found: dict[str, Any] = {}
    for name in TRAINING_SECTIONS:
        section = tree.get(name)
        if isinstance(section, dict):
            section = {key: value for key, value in section.items() if name != "train" or key not in WORKED_OFF}
            section = LATER.get(name, {}) | section
        found[name] = section
    return found


def told(tree: dict[str, Any]) -> dict[str, Any]:
    """Return `shaping` without keys that say what was always so: its hash is that of before they were there."""
    return {
        name: section
        if not isinstance(section, dict)
        else {
            key: value for key, value in section.items() if key not in (was := LATER.get(name, {})) or value != was[key]
        }
        for name, section in shaping(tree).items()
    }
