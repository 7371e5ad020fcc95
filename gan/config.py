"""The one configuration tree: flow parameter, Ray payload, MLflow params and checkpoint header."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gan.errors import ConfigError
from gan.networks.resolution import resolution_of
from gan.schedules import total_images

Filter = Literal["lanczos", "box", "bicubic", "bilinear"]
Crop = Literal["centre", "pad", "stretch"]
Resize = Literal["tf1", "clean", "torch"]
Precision = Literal["fp32", "bf16"]


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
    def _power_of_two(self) -> Self:
        if self.resolution & (self.resolution - 1):
            raise ValueError(f"data.resolution is {self.resolution} but must be a power of two, 4 to 1024")
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


class NetworkConfig(Frozen):
    """Shape of generator and discriminator."""

    latent_dim: Annotated[int, Field(ge=1)] = Field(64, description="dimensions of z")
    embedding_dim: Annotated[int, Field(ge=1)] = Field(32, description="dimensions of the class embedding")
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (128, 96, 64), description="channels per stage, from 4x4 up; each stage doubles the resolution"
    )
    blocks_per_stage: Annotated[int, Field(ge=1)] = Field(1, description="residual blocks in each stage")
    group_width: Annotated[int, Field(ge=1)] = Field(16, description="channels per group of the 3x3 convolutions")
    expansion: Annotated[int, Field(ge=1)] = Field(
        2, description="inner width of a residual block over its outer width"
    )
    patch: Literal[1, 2, 4] = Field(1, description="side of the pixel patches folded into channels at the image end")
    conditional: bool = Field(True, description="class-conditional, if the dataset has classes")

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        for width in self.widths:
            if (width * self.expansion) % self.group_width:
                raise ValueError(
                    f"network.widths has {width}, whose inner width {width * self.expansion} is no multiple of "
                    f"network.group_width = {self.group_width}"
                )
        return self

    @property
    def resolution(self) -> int:
        """Side in pixels of the images that these widths make."""
        return resolution_of(len(self.widths), self.patch)


class LossConfig(Frozen):
    """The adversarial objective and its penalties."""

    r1_gamma: Annotated[float, Field(ge=0.0)] = Field(1.0, description="weight of the gradient penalty on real images")
    r2_gamma: Annotated[float, Field(ge=0.0)] = Field(1.0, description="weight of the gradient penalty on fake images")


class OptimizerConfig(Frozen):
    """Adam for both networks; values at the start and at the end of the run, on a cosine between."""

    lr: Annotated[float, Field(gt=0.0)] = Field(2e-4, description="learning rate at the start")
    final_lr: Annotated[float, Field(gt=0.0)] = Field(5e-5, description="learning rate at the end")
    beta1: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.0, description="Adam's decay of the first moment")
    beta2: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.99, description="Adam's decay of the second moment")


class TrainConfig(Frozen):
    """Length, batch, seed and rhythm of a training run; everything is counted in images."""

    total_kimg: Annotated[float, Field(gt=0.0)] = Field(100.0, description="length of the run, in thousands of images")
    batch_size: Annotated[int, Field(ge=2)] = Field(64, description="images per step over all workers together")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="seed of every random draw")
    ema_halflife_kimg: Annotated[float, Field(gt=0.0)] = Field(2.0, description="half-life of G_ema")
    flip: bool = Field(False, description="mirror half of the images left to right")
    snapshot_kimg: Annotated[float, Field(gt=0.0)] = Field(20.0, description="a sample grid this often")
    checkpoint_kimg: Annotated[float, Field(gt=0.0)] = Field(50.0, description="a checkpoint this often")
    log_kimg: Annotated[float, Field(gt=0.0)] = Field(2.0, description="mean losses are reported this often")

    @property
    def total_images(self) -> int:
        """Images after which the run ends, rounded up to whole batches."""
        return total_images(self.total_kimg, self.batch_size)


class EvaluationConfig(Frozen):
    """The protocol asked for; scores hold under it alone."""

    reference_split: Literal["train", "test"] = Field(
        "train", description="split that generated images are compared with"
    )
    num_images: Annotated[int, Field(ge=4)] = Field(
        10_000, description="generated images, and at most as many reference images"
    )
    resize: Resize = Field("tf1", description="resampling to the network's 299x299")
    precision: Precision = Field("fp32", description="precision of the feature network")
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


class ReleaseConfig(Frozen):
    """What `generate` draws."""

    num_images: Annotated[int, Field(ge=1)] = Field(1000, description="images in a release, spread evenly over classes")
    batch_size: Annotated[int, Field(ge=1)] = Field(250, description="images per call of the generator")


class Config(Frozen):
    """Everything that decides a result, and nothing of the place where it runs."""

    preset: str = Field("digits", description="name of the preset that this configuration began as")
    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    train: TrainConfig = TrainConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    release: ReleaseConfig = ReleaseConfig()

    @model_validator(mode="after")
    def _resolutions_agree(self) -> Self:
        if self.network.resolution != self.data.resolution:
            raise ValueError(
                f"network.widths has {len(self.network.widths)} stages with network.patch = {self.network.patch}, "
                f"which makes {self.network.resolution} px, but data.resolution is {self.data.resolution} px"
            )
        return self

    def training_hash(self) -> str:
        """Hash of what decides a training's result beside its dataset: network, loss, optimizer and train."""
        parts = self.model_dump(mode="json", include={"network", "loss", "optimizer", "train"})
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


def parse_config(tree: dict[str, Any]) -> Config:
    """Build a `Config`, with every mistake collected in one sentence.

    Raises:
        ConfigError: a key is unknown, a value is out of range, or two values disagree.
    """
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item) for item in error.errors())) from None


def _explain(item: Any, section: str = "") -> str:
    key = ".".join(str(part) for part in ([section] if section else []) + list(item["loc"]))
    if item["type"] == "extra_forbidden":
        return f"unknown configuration key «{key}» (known keys: `ganflow presets --keys`)"
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    return f"{key} = {item['input']!r}: {item['msg'][0].lower()}{item['msg'][1:]}"


def apply_overrides(config: Config, overrides: Sequence[str]) -> Config:
    """Return `config` with `section.key=value` strings applied; values are JSON, or plain text where JSON fails.

    Raises:
        ConfigError: an override is malformed, names an unknown key or gives a value that is out of range.
    """
    return parse_config(_overridden(config, overrides))


def apply_data_overrides(config: Config, overrides: Sequence[str]) -> DataConfig:
    """As `apply_overrides`, for ingesting alone: that the network fits the resolution is no concern there.

    Raises:
        ConfigError: an override is malformed, names an unknown key or gives a value that is out of range.
    """
    tree = _overridden(config, overrides)
    found: dict[str, Any] = {}
    for section, model in Config.sections():
        try:
            found[section] = model.model_validate(tree[section])
        except ValidationError as error:
            raise ConfigError("; ".join(_explain(item, section) for item in error.errors())) from None
    data: DataConfig = found["data"]
    return data


def _overridden(config: Config, overrides: Sequence[str]) -> dict[str, Any]:
    tree = config.model_dump(mode="json")
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path:
            raise ConfigError(f"--set wants section.key=value, for example train.total_kimg=50, but got «{override}»")
        *sections, leaf = path.strip().split(".")
        node: Any = tree
        for section in sections:
            node = node.get(section) if isinstance(node, dict) else None
        if not sections or not isinstance(node, dict) or leaf not in node:
            raise ConfigError(f"--set {override}: unknown key «{path}» (known keys: `ganflow presets --keys`)")
        try:
            node[leaf] = json.loads(text)
        except json.JSONDecodeError:
            node[leaf] = text
    return tree
