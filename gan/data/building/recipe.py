"""What is made of each image by itself, whatever the others are."""

from dataclasses import dataclass

from gan.configuration.config import Crop, DataConfig, Filter


@dataclass(frozen=True)
class Recipe:
    """What becomes of each image by itself; the rest of a `DataConfig` needs all of them together."""

    resolution: int
    channels: int | None
    crop: Crop
    filter: Filter
    background: tuple[int, int, int]
    shortest_side: int
    max_aspect: float

    @property
    def colours_bars(self) -> bool:
        """Whether padding puts a colour around images."""
        return self.crop == "pad" and len(set(self.background)) > 1

    @classmethod
    def of(cls, config: DataConfig) -> "Recipe":
        """Take it from a configuration."""
        return cls(
            resolution=config.resolution,
            channels=None if config.channels == "auto" else config.channels,
            crop=config.crop,
            filter=config.filter,
            background=config.background_rgb,
            shortest_side=config.shortest_side,
            max_aspect=config.max_aspect,
        )
