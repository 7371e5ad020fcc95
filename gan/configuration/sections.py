"""The sections of the configuration tree: every setting with its range and what it means."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gan.configuration.vocabulary import AskedPrecision, Resize
from gan.configuration.window import known_window

Filter = Literal["lanczos", "box", "bicubic", "bilinear"]
Crop = Literal["centre", "pad", "stretch"]


class Frozen(BaseModel):
    """A node of the tree: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(Frozen):
    """How source images become the dataset; read by `ingest` alone."""

    resolution: Annotated[int, Field(ge=4, le=1024)] = Field(32, description="side of the square images, in pixels")
    channels: Literal["auto", 1, 3] = Field("auto", description="1 grey, 3 RGB, auto: grey if every image is grey")
    crop: Crop = Field("centre", description="how an image that is not square becomes square: centre, pad or stretch")
    filter: Filter = Field("lanczos", description="resampling filter when an image is resized")
    background: Annotated[str, StringConstraints(to_lower=True, pattern="^#[0-9a-fA-F]{6}$")] = Field(
        "#ffffff", description="colour under transparent pixels and around padded images"
    )
    window: Annotated[str, AfterValidator(known_window)] = Field(
        "auto",
        description="values of images of more than 8 bits that become 0 to 255: LO:HI; percentiles of all values, "
        "pLO:pHI; full: all that their type has; or auto: those that the dataset has",
    )
    class_map: dict[str, str | None] = Field(
        {}, description="new names of classes: one name for several merges them, null leaves a class out"
    )
    split: Literal["auto", "hash", "source"] = Field(
        "auto", description="who holds images out: the source, the hash of their pixels, or auto: the source if it does"
    )
    holdout_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.1, description="share of the images held out as the split `test`, by the hash of their pixels"
    )
    min_side: Annotated[int, Field(ge=1)] | None = Field(
        None, description="source images with a shorter side are rejected; null: a quarter of the resolution"
    )
    max_aspect: Annotated[float, Field(ge=1.0)] = Field(
        10.0, description="source images whose longer side is more than this many times the shorter are rejected"
    )
    min_class_images: Annotated[int, Field(ge=1)] = Field(
        2, description="classes with fewer training images are rejected"
    )
    max_reject_share: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.05, description="ingesting fails where a larger share of the files is rejected"
    )

    @model_validator(mode="after")
    def _reachable_by_doubling(self) -> Self:
        rest = self.resolution // (self.resolution & -self.resolution)
        if rest not in {1, 7}:
            raise ValueError(
                f"data.resolution is {self.resolution} but must be a power of two, or 7 times one, from 4 to 1024"
            )
        return self

    @property
    def background_rgb(self) -> tuple[int, int, int]:
        """`background` as three numbers from 0 to 255."""
        red, green, blue = bytes.fromhex(self.background[1:])
        return red, green, blue

    @property
    def shortest_side(self) -> int:
        """Pixels that the shorter side of a source image must have."""
        return self.min_side or max(1, self.resolution // 4)


class EvaluationConfig(Frozen):
    """The protocol asked for; scores hold under it alone."""

    reference_split: Literal["train", "test"] = Field(
        "train", description="split that generated images are compared with"
    )
    num_images: Annotated[int, Field(ge=4)] = Field(
        10_000, description="generated images, and at most as many reference images"
    )
    resize: Resize = Field("tf1", description="resampling to the network's 299x299")
    precision: AskedPrecision = Field(
        "auto", description="of the feature network; auto: bf16 where the hardware has instructions for it, else fp32"
    )
    batch_size: Annotated[int, Field(ge=1)] | None = Field(
        None, description="images per pass of the feature network; null: 8 on a CPU, 256 on a GPU"
    )
    seed: Annotated[int, Field(ge=0, lt=2**62)] = Field(0, description="first seed of the generated images")
    neighbours: Annotated[int, Field(ge=1, le=100)] = Field(
        5, description="k of the nearest neighbours in precision, recall, density and coverage"
    )
    copy_images: Annotated[int, Field(ge=4, le=50_000)] = Field(
        10_000, description="training images among which copies are looked for by features; by pixels among all"
    )
    watch_images: Annotated[int, Field(ge=0)] = Field(
        1000, description="images of the KID measured beside training and picks the checkpoint; 0: the last"
    )
    usefulness_seeds: Annotated[int, Field(ge=0, le=20)] = Field(
        0, description="classifiers trained for each arm of the usefulness scores, 2 or more; 0 leaves these out"
    )

    @model_validator(mode="after")
    def _a_spread_needs_two(self) -> Self:
        if 0 < self.watch_images < 4:
            raise ValueError(f"evaluation.watch_images is {self.watch_images} but a KID needs 4 or more, and 0 is none")
        if self.usefulness_seeds == 1:
            raise ValueError("evaluation.usefulness_seeds is 1 but a spread needs 2 or more, and 0 leaves it out")
        return self


class GateConfig(Frozen):
    """When a candidate takes the champion's place."""

    on_tie: Literal["champion", "newer"] = Field(
        "champion", description="whose place it is where the scores differ by no more than chance"
    )
    tolerance: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.05, description="by how much recall and coverage may be lower than the champion's"
    )
    class_tolerance: Annotated[float, Field(ge=0.0)] = Field(
        0.02, description="by how much the KID of a class may be higher than the champion's, beyond chance"
    )
    floor: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.2,
        description="coverage that a candidate needs where there is no champion that it can be compared with; 0: none, "
        "for rehearsals",
    )
    load_seconds: Annotated[float, Field(gt=0.0)] = Field(
        120.0, description="in which the registered program has to be loaded and draw a few images, without ganflow"
    )
