"""Named configurations; a variant is a function here, never a copied script."""

from collections.abc import Callable

from gan.config import (
    Config,
    DataConfig,
    EvaluationConfig,
    LossConfig,
    NetworkConfig,
    OptimizerConfig,
    ReleaseConfig,
    TrainConfig,
)
from gan.errors import ConfigError


def digits() -> Config:
    """Handwritten digits at 16x16: the demo, minutes on two CPU cores."""
    return Config(
        preset="digits",
        data=DataConfig(resolution=16, holdout_fraction=0.2),
        network=NetworkConfig(widths=(64, 64), patch=2, expansion=1, group_width=64),
        loss=LossConfig(r1_gamma=0.5, r2_gamma=0.5),
        optimizer=OptimizerConfig(lr=1e-3, final_lr=1e-4),
        train=TrainConfig(total_kimg=100.0),
        evaluation=EvaluationConfig(num_images=1000, precision="bf16"),
    )


def debug() -> Config:
    """Any images at 16x16, seconds on two CPU cores: shows that the pipeline runs, not what it can do."""
    return Config(
        preset="debug",
        data=DataConfig(resolution=16, holdout_fraction=0.2),
        network=NetworkConfig(widths=(32, 32), patch=2, expansion=1, group_width=32, latent_dim=32, embedding_dim=16),
        optimizer=OptimizerConfig(lr=1e-3, final_lr=1e-3),
        train=TrainConfig(total_kimg=2.0, batch_size=32, snapshot_kimg=1.0, checkpoint_kimg=1.0, log_kimg=0.25),
        evaluation=EvaluationConfig(num_images=64, copy_images=64, watch_images=0, precision="bf16"),
        release=ReleaseConfig(num_images=64, batch_size=64),
    )


PRESETS: dict[str, Callable[[], Config]] = {"digits": digits, "debug": debug}


def preset(name: str) -> Config:
    """Return the configuration called `name`.

    Raises:
        ConfigError: there is no preset of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset «{name}»: choose one of {', '.join(sorted(PRESETS))}")
    return PRESETS[name]()
