"""The section `data`: which images are in a dataset, and what becomes of each."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from gan.configuration.sections import Frozen
from gan.configuration.window import known_window

Filter = Literal["lanczos", "box", "bicubic", "bilinear"]
Crop = Literal["centre", "pad", "stretch"]


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
    holdout_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.1, description="share of the images held out as the split `test`, by the hash of their pixels; 0: none"
    )
    near_duplicates: Literal["auto", "report", "drop", "off"] = Field(
        "auto",
        description="images that are nearly equal: report them, drop them from those to train on, or off; auto: report "
        "up to 10,000 images",
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
