"""The section `release`: how many images of which class, and what they are written as."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gan.configuration.sections import Frozen
from gan.configuration.vocabulary import AskedPrecision, Balance, ReleaseFormat


class ReleaseConfig(Frozen):
    """What `generate` draws."""

    num_images: Annotated[int, Field(ge=1, le=10**12)] = Field(
        1000, description="images in a release; not looked at where release.balance is quotas or fill"
    )
    batch_size: Annotated[int, Field(ge=1, le=2**20)] | None = Field(
        None,
        description="images per call of the generator; null: 250, fewer where they have more than 91 pixels a side",
    )
    precision: AskedPrecision = Field(
        "auto",
        description="of the generator's convolutions; auto: bf16 where what draws has instructions for it and 999 of "
        "1000 values are within one grey level of fp32's",
    )
    balance: Balance = Field(
        "equal",
        description="images of each class: equal; real, in the dataset's proportions; quotas; or fill, what rare ones "
        "lack",
    )
    quotas: dict[str, Annotated[int, Field(ge=0, le=10**12)]] = Field(
        {}, description="images by class where release.balance is quotas; classes that are not named get none"
    )
    fill: Annotated[int, Field(ge=1, le=10**12)] | None = Field(
        None, description="images that each class of data/ has together with the release where release.balance is fill"
    )
    format: ReleaseFormat = Field(
        "parquet", description="of the files: parquet, webdataset, imagefolder or npz (NumPy's arrays)"
    )
    shard_images: Annotated[int, Field(ge=1, le=10**9)] = Field(
        10_000, description="most images in a shard; fewer where they are so large that they would pass 256 MiB decoded"
    )
    max_attempts: Annotated[int, Field(ge=1, le=10**6)] = Field(
        20, description="how often an image is drawn that is rejected, before the release fails"
    )
    truncation: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        1.0, description="psi: how far from the mean of its class an image is drawn, of how far it would; 1: as it is"
    )
    reject_copies: bool = Field(True, description="draw what is a copy of a training image, or nearly one, again")
    reject_duplicates: bool = Field(True, description="draw what repeats an image of this or an earlier release again")
    min_realism: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = Field(
        None,
        description="draw what has less realism again, by the network of evaluations; 1 is inside the manifold of real "
        "images",
    )
    check_images: Annotated[int, Field(ge=0, le=10**6)] = Field(
        1000, description="images that are scored and audited before a release is published; 0: none is"
    )
    keep_last: Annotated[int, Field(ge=1)] | None = Field(
        None, description="published releases of the model that stay when one is published; null: all"
    )

    @model_validator(mode="after")
    def _one_says_how_many(self) -> Self:
        asked = any(self.quotas.values())
        if (self.balance == "quotas") != asked or (self.quotas and not asked):
            quotas = f"asks for {sum(self.quotas.values())} images" if self.quotas else "is empty"
            raise ValueError(
                f"release.balance is {self.balance} but release.quotas {quotas}: set release.balance to quotas and "
                "name a class with images, or empty release.quotas"
            )
        if (self.balance == "fill") != (self.fill is not None):
            raise ValueError(
                f"release.balance is {self.balance} but release.fill is {'null' if self.fill is None else self.fill}: "
                "set both, or release.fill to null"
            )
        return self
