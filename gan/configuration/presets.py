"""Named configurations; a variant is a function here, never a copied script."""

from collections.abc import Callable

from gan.configuration.config import (
    AugmentConfig,
    Config,
    DataConfig,
    EvaluationConfig,
    GateConfig,
    LossConfig,
    NetworkConfig,
    OptimizerConfig,
    ReleaseConfig,
    TrainConfig,
)
from gan.errors import ConfigError

DENSE = 10_000
"""Wider than any block: its 3x3 convolutions then have one group, which CPUs are much faster at."""


def debug() -> Config:
    """Any images at 16x16, seconds on two CPU cores: shows that the pipeline runs, not what it can do."""
    return Config(
        preset="debug",
        data=DataConfig(resolution=16, holdout_fraction=0.2),
        network=NetworkConfig(
            widths=(32, 32), patch=2, expansion=1, group_width=DENSE, latent_dim=32, embedding_dim=16
        ),
        optimizer=OptimizerConfig(lr=1e-3, final_lr=1e-3),
        train=TrainConfig(total_kimg=2.0, batch_size=32, checkpoint_kimg=1.0, log_kimg=0.25, precision="fp32"),
        evaluation=EvaluationConfig(num_images=64, copy_images=64, watch_images=0),
        gate=GateConfig(floor=0.0),
        # what so short a training draws is all alike and like nothing: a rehearsal is not judged
        release=ReleaseConfig(
            num_images=64, batch_size=64, reject_copies=False, reject_duplicates=False, check_images=0
        ),
    )


def digits() -> Config:
    """Handwritten digits at 16x16: the demo, minutes on two cores of a CPU of 2023."""
    data = DataConfig(resolution=16, holdout_fraction=0.2)
    return _small("digits", data, (128, 64), images=1000)


def fashion_mnist() -> Config:
    """Fashion-MNIST, or any simple images, at 32x32: five minutes on two cores of a CPU of 2023."""
    config = _small("fashion-mnist", DataConfig(resolution=32), (256, 128, 64), images=5000)
    # a wider average helped where images are many: benchmarks/RESULTS.md
    return config.model_copy(update={"train": config.train.model_copy(update={"ema_halflife_kimg": None})})


def _small(name: str, data: DataConfig, widths: tuple[int, ...], *, images: int) -> Config:
    """R3GAN's game, with its penalties at every eighth step, between DCGAN's networks.

    In minutes of a CPU these few wide convolutions, with batch normalisation in G and a tanh at its end, came further
    than the residual networks that were tried: benchmarks/RESULTS.md.
    """
    total_kimg = 130.0
    return Config(
        preset=name,
        data=data,
        network=NetworkConfig(architecture="dcgan", widths=widths, latent_dim=100, discriminator_normalisation="none"),
        loss=LossConfig(r1_gamma=0.2, r2_gamma=0.2, penalty_every=8),
        optimizer=OptimizerConfig(lr=1e-3, final_lr=1e-4),
        # each checkpoint is scored beside the training, on the same cores: on a CPU that is half of the time
        train=TrainConfig(total_kimg=total_kimg, checkpoint_kimg=total_kimg / 2),
        evaluation=EvaluationConfig(num_images=images, watch_images=250),
    )


def small_data() -> Config:
    """500 images and less at 32x32, augmented so that they are not learned by heart."""
    config = _small("small-data", DataConfig(resolution=32), (256, 128, 64), images=1000)
    augment = AugmentConfig(operations=("colour", "translation", "cutout"))
    # with so few images rounding costs more quality than its time is worth: benchmarks/RESULTS.md
    train = config.train.model_copy(update={"precision": "fp32"})
    return config.model_copy(update={"augment": augment, "train": train})


def few_shot_64() -> Config:
    """20 to some hundred images at 64x64: 15 minutes on two cores of a CPU of 2023; needs ganflow[few-shot]."""
    return _few_shot("few-shot-64", 64, (256, 128, 64, 32, 16), feature_side=96, mixed_width=32, total_kimg=45.0)


def few_shot_256() -> Config:
    """20 to some hundred images at 256x256, on one GPU; needs ganflow[few-shot]."""
    widths = (1024, 512, 256, 128, 128, 64, 32)
    config = _few_shot("few-shot-256", 256, widths, feature_side=256, mixed_width=64, total_kimg=1000.0)
    # the average of the authors' code; and with so many passes over so few images the best is soon over
    train = config.train.model_copy(update={"ema_halflife_kimg": 5.0, "checkpoint_kimg": 50.0})
    return config.model_copy(update={"train": train})


def _few_shot(
    name: str, resolution: int, widths: tuple[int, ...], *, feature_side: int, mixed_width: int, total_kimg: float
) -> Config:
    """Projected GAN's game: Sauer et al., NeurIPS 2021, sections 3 and 4."""
    return Config(
        preset=name,
        data=DataConfig(resolution=resolution),
        network=NetworkConfig(
            architecture="projected",
            widths=widths,
            latent_dim=256,
            feature_side=feature_side,
            mixed_width=mixed_width,
        ),
        loss=LossConfig(kind="hinge", r1_gamma=0.0, r2_gamma=0.0),
        augment=AugmentConfig(operations=("colour", "translation", "cutout")),
        optimizer=OptimizerConfig(lr=2e-4, final_lr=2e-4, beta1=0.0, beta2=0.99),
        train=TrainConfig(total_kimg=total_kimg, batch_size=16, flip=True, checkpoint_kimg=total_kimg / 6),
        evaluation=EvaluationConfig(num_images=1000, watch_images=250, watch_features="pixels"),
    )


def cifar10() -> Config:
    """CIFAR-10, or as many coloured images, at 32x32, on one large GPU."""
    return Config(
        preset="cifar10",
        data=DataConfig(resolution=32),
        network=NetworkConfig(
            widths=(256, 256, 256, 256),
            embedding_dim=64,
            discriminator_embedding_dim=256,
            class_scale="fan_in",
            upsampling="zeros",
            transitions="changes",
        ),
        loss=LossConfig(r1_gamma=0.05, final_r1_gamma=0.005, r2_gamma=0.05, final_r2_gamma=0.005),
        augment=AugmentConfig(operations=("flip", "colour", "translation"), probability=0.0, final_probability=0.3),
        optimizer=OptimizerConfig(lr=4e-4, final_lr=5e-5, beta2=0.9, final_beta2=0.99),
        train=TrainConfig(
            total_kimg=5000.0,
            batch_size=256,
            flip=True,
            ema_halflife_kimg=0.0,
            final_ema_halflife_kimg=200.0,
            checkpoint_kimg=500.0,
            log_kimg=20.0,
        ),
        evaluation=EvaluationConfig(num_images=50_000),
    )


def r3gan_32() -> Config:
    """R3GAN's values for CIFAR-10, until its schedules end (20 million images): days on large GPUs."""
    return _published("r3gan-32", 32, (768,) * 4, gamma=0.05, augmented=0.55, ema_halflife_kimg=5000.0, batch_size=512)


def r3gan_64() -> Config:
    """R3GAN's values for FFHQ at 64x64, until its schedules end (20 million images): days on several GPUs."""
    return _published(
        "r3gan-64", 64, (*(768,) * 4, 384), gamma=2.0, augmented=0.3, ema_halflife_kimg=500.0, batch_size=256
    )


def r3gan_256() -> Config:
    """R3GAN's values for FFHQ at 256x256, until its schedules end (20 million images): days on several GPUs."""
    widths = (*(768,) * 4, 384, 192, 96)
    return _published(
        "r3gan-256",
        256,
        widths,
        gamma=150.0,
        augmented=0.3,
        ema_halflife_kimg=500.0,
        batch_size=256,
        fp32_stages=3,
    )


def _published(
    name: str,
    resolution: int,
    widths: tuple[int, ...],
    *,
    gamma: float,
    augmented: float,
    ema_halflife_kimg: float,
    batch_size: int,
    fp32_stages: int = 1,
) -> Config:
    """The values of Huang et al., NeurIPS 2024, appendix, and of their code; docs/training.md says where it differs."""
    return Config(
        preset=name,
        data=DataConfig(resolution=resolution, holdout_fraction=0.0),
        network=NetworkConfig(
            widths=widths,
            blocks_per_stage=2,
            embedding_dim=64,
            discriminator_embedding_dim=widths[0],
            class_scale="fan_in",
            upsampling="zeros",
            transitions="changes",
            fp32_stages=fp32_stages,
        ),
        loss=LossConfig(
            r1_gamma=gamma,
            final_r1_gamma=gamma / 10,
            r2_gamma=gamma,
            final_r2_gamma=gamma / 10,
            penalty_input="images",
        ),
        augment=AugmentConfig(
            operations=("ada-geometry", "ada-colour", "cutout"),
            probability=0.0,
            final_probability=augmented,
            colour_share=0.5,
        ),
        optimizer=OptimizerConfig(lr=2e-4, final_lr=5e-5, beta2=0.9, final_beta2=0.99),
        train=TrainConfig(
            total_kimg=20_000.0,
            batch_size=batch_size,
            flip=True,
            ema_halflife_kimg=0.0,
            final_ema_halflife_kimg=ema_halflife_kimg,
            ema_rampup=None,
            fresh_generator_batch=True,
            checkpoint_kimg=500.0,
            log_kimg=20.0,
        ),
        evaluation=EvaluationConfig(num_images=50_000, reference_images="all"),
    )


def dcgan_28() -> Config:
    """DCGAN at 28x28, MNIST's own size."""
    return _dcgan("dcgan-28", 28, (128, 64), base=7)


def dcgan_32() -> Config:
    """DCGAN at 32x32."""
    return _dcgan("dcgan-32", 32, (256, 128, 64))


def dcgan_64() -> Config:
    """DCGAN at 64x64 with the published widths."""
    return _dcgan("dcgan-64", 64, (1024, 512, 256, 128))


def _dcgan(name: str, resolution: int, widths: tuple[int, ...], *, base: int = 4) -> Config:
    """The values of Radford et al., ICLR 2016, section 4, but for the batch of 128."""
    network = NetworkConfig(
        architecture="dcgan", base=base, widths=widths, latent_dim=100, discriminator_normalisation="batch"
    )
    return Config(
        preset=name,
        data=DataConfig(resolution=resolution),
        network=network,
        loss=LossConfig(kind="nonsaturating", r1_gamma=0.0, r2_gamma=0.0),
        optimizer=OptimizerConfig(lr=2e-4, final_lr=2e-4, beta1=0.5, beta2=0.999),
        train=TrainConfig(total_kimg=200.0),
        evaluation=EvaluationConfig(num_images=5000),
    )


def wgan_gp_32() -> Config:
    """Wasserstein GAN with gradient penalty at 32x32, five discriminator steps to one of the generator."""
    config = dcgan_32()
    return config.model_copy(
        update={
            "preset": "wgan-gp-32",
            "network": config.network.model_copy(update={"discriminator_normalisation": "none"}),
            "loss": LossConfig(kind="wasserstein", r1_gamma=0.0, r2_gamma=0.0, gradient_penalty=10.0),
            "optimizer": OptimizerConfig(lr=1e-4, final_lr=1e-4, beta1=0.0, beta2=0.9),
            "train": config.train.model_copy(update={"total_kimg": 500.0, "generator_every": 5}),
        }
    )


PRESETS: dict[str, Callable[[], Config]] = {
    "debug": debug,
    "digits": digits,
    "fashion-mnist": fashion_mnist,
    "small-data": small_data,
    "few-shot-64": few_shot_64,
    "few-shot-256": few_shot_256,
    "cifar10": cifar10,
    "r3gan-32": r3gan_32,
    "r3gan-64": r3gan_64,
    "r3gan-256": r3gan_256,
    "dcgan-28": dcgan_28,
    "dcgan-32": dcgan_32,
    "dcgan-64": dcgan_64,
    "wgan-gp-32": wgan_gp_32,
}


def preset(name: str) -> Config:
    """Return the configuration called `name`.

    Raises:
        ConfigError: there is no preset of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset «{name}»: choose one of {', '.join(sorted(PRESETS))}")
    return PRESETS[name]()
