"""The sections of the configuration tree: every setting with its range and what it means."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gan.configuration.vocabulary import AskedPrecision, Resize, WatchFeatures


class Frozen(BaseModel):
    """A node of the tree: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class EvaluationConfig(Frozen):
    """The protocol asked for; scores hold under it alone."""

    reference_split: Literal["train", "test"] = Field(
        "train", description="split that generated images are compared with"
    )
    num_images: Annotated[int, Field(ge=4)] = Field(
        10_000, description="generated images, and at most as many reference images where these are not set"
    )
    reference_images: Annotated[int, Field(ge=4)] | Literal["all"] | None = Field(
        None,
        description="reference images at most; all: of the whole split, as in published FIDs; null: as num_images",
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
        10_000,
        description="training images among which copies are looked for by features; by pixels among up to 50,000",
    )
    watch_images: Annotated[int, Field(ge=0)] = Field(
        1000,
        description="generated images whose KID, measured beside training, picks the checkpoint; 0: the last stands",
    )
    watch_features: WatchFeatures = Field(
        "inception",
        description="by which that KID is: inception, or pixels: colours and edges, which know no ImageNet, for "
        "discriminators that do",
    )
    usefulness_seeds: Annotated[int, Field(ge=0, le=20)] = Field(
        0, description="classifiers trained for each arm of the usefulness scores, 2 or more; 0 leaves these out"
    )

    def most_reference(self, size: int) -> int:
        """Return how many images of a split of `size` the generated ones are compared with, if it has as many."""
        if self.reference_images == "all":
            return size
        return self.num_images if self.reference_images is None else self.reference_images

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
