"""The one configuration tree: flow parameter, Ray payload, MLflow params and checkpoint header."""

import hashlib
import json
from collections.abc import Iterator
from typing import Self

from pydantic import Field, model_validator

from gan.configuration.data_section import Crop, DataConfig, Filter
from gan.configuration.release_section import ReleaseConfig
from gan.configuration.sections import EvaluationConfig, Frozen, GateConfig
from gan.configuration.shaping import told
from gan.configuration.train_section import TrainConfig
from gan.configuration.training_sections import AugmentConfig, LossConfig, NetworkConfig, OptimizerConfig

# Who needs a section takes it from here, as the tree has it.
__all__ = [
    "AugmentConfig",
    "Config",
    "Crop",
    "DataConfig",
    "EvaluationConfig",
    "Filter",
    "Frozen",
    "GateConfig",
    "LossConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "ReleaseConfig",
    "TrainConfig",
]


class Config(Frozen):
    """Everything that decides a result, and nothing of the place where it runs."""

    preset: str = Field("digits", description="name of the preset that this configuration began as")
    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    loss: LossConfig = LossConfig()
    augment: AugmentConfig = AugmentConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    train: TrainConfig = TrainConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    gate: GateConfig = GateConfig()
    release: ReleaseConfig = ReleaseConfig()

    @model_validator(mode="after")
    def _resolutions_agree(self) -> Self:
        network = self.network
        if network.resolution != self.data.resolution:
            patch = f" and network.patch = {network.patch}" if network.patch > 1 else ""
            raise ValueError(
                f"network.widths has {len(network.widths)} stages from network.base = {network.base} px{patch}, "
                f"which makes {network.resolution} px, but data.resolution is {self.data.resolution} px"
            )
        return self

    @model_validator(mode="after")
    def _penalties_see_single_images(self) -> Self:
        if self.network.discriminator_normalisation == "batch" and self.loss.penalised:
            raise ValueError(
                "a penalty on the gradient of single images is not defined where "
                "network.discriminator_normalisation is batch: set it to spectral or none, or loss.r1_gamma, "
                "loss.r2_gamma and loss.gradient_penalty to 0"
            )
        return self

    @model_validator(mode="after")
    def _pieces_are_judged_alone(self) -> Self:
        if self.network.discriminator_normalisation == "batch" and self.train.accumulate > 1:
            raise ValueError(
                f"train.accumulate is {self.train.accumulate} but network.discriminator_normalisation is batch, which "
                "would judge each piece by its own mean: set that to spectral or none, or train.accumulate to 1"
            )
        return self

    @model_validator(mode="after")
    def _something_of_the_discriminator_learns(self) -> Self:
        frozen, stages = self.train.freeze_d, len(self.network.widths)
        if frozen and self.network.architecture == "projected":
            raise ValueError(
                f"train.freeze_d is {frozen} but network.architecture projected has features that are never trained "
                "next to the image already: set it to 0"
            )
        if frozen >= stages:
            raise ValueError(
                f"train.freeze_d is {frozen} but network.widths has {stages} stages, and the last of them has to learn"
            )
        return self

    @model_validator(mode="after")
    def _blocks_are_residual(self) -> Self:
        architecture = self.network.architecture
        if self.train.checkpoint_activations and architecture != "r3gan":
            raise ValueError(
                f"train.checkpoint_activations is true but network.architecture {architecture} has no blocks that "
                "could be computed again: set it to false, or raise train.accumulate"
            )
        return self

    def training_hash(self) -> str:
        """Hash of what decides a training's result beside its dataset: the sections that shape it."""
        parts = told(self.model_dump(mode="json"))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def recipe_hash(self) -> str:
        """`training_hash` whatever the seed: runs of one recipe on one dataset differ by chance alone."""
        return self.model_copy(update={"train": self.train.model_copy(update={"seed": 0})}).training_hash()

    @classmethod
    def sections(cls) -> Iterator[tuple[str, type[Frozen]]]:
        """Name and model of each section."""
        for section, field in cls.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, Frozen):
                yield section, field.annotation

    @classmethod
    def keys_with_meaning(cls) -> Iterator[tuple[str, str]]:
        """Every key that `apply_overrides` knows, with its meaning and default."""
        for section, model in cls.sections():
            for key, leaf in model.model_fields.items():
                default = "null" if leaf.default is None else leaf.default
                yield f"{section}.{key}", f"{leaf.description} (default: {default})"
