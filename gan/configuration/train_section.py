"""The section `train` of a configuration."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gan.configuration.schedules import total_images
from gan.configuration.sections import Frozen
from gan.configuration.vocabulary import Precision, TrainPrecision, WarmStartKind


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
    ema_halflife_kimg: Annotated[float, Field(ge=0.0)] | None = Field(
        2.0, description="half-life of G_ema, at the start; null: as long as ema_rampup lets it be, a share of the run"
    )
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
    def _has_half_life(self) -> Self:
        if self.ema_halflife_kimg is None and (self.ema_rampup is None or self.final_ema_halflife_kimg is not None):
            raise ValueError(
                "train.ema_halflife_kimg is null, so train.ema_rampup must be a share, and final_ema_halflife_kimg null"
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
