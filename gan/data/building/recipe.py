"""What is made of each image by itself, whatever the others are."""

from dataclasses import dataclass, replace

from gan.configuration.config import Crop, DataConfig, Filter
from gan.configuration.window import parse_window
from gan.data.pixels.window import Windows


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
    windows: Windows
    pictures: bool = False

    @property
    def colours_bars(self) -> bool:
        """Whether padding puts a colour around images."""
        return self.crop == "pad" and len(set(self.background)) > 1

    @classmethod
    def of(cls, config: DataConfig, windows: Windows | None = None, *, pictures: bool = False) -> "Recipe":
        """Take it from a configuration.

        Args:
            config: how images are prepared.
            windows: those that follow from the data, where they are known.
            pictures: whether small pictures are kept of them, to look for near duplicates by.
        """
        return cls(
            resolution=config.resolution,
            channels=None if config.channels == "auto" else config.channels,
            crop=config.crop,
            filter=config.filter,
            background=config.background_rgb,
            shortest_side=config.shortest_side,
            max_aspect=config.max_aspect,
            windows=windows or Windows(parse_window(config.window)),
            pictures=pictures,
        )

    def without_found_windows(self) -> "Recipe":
        """Return the same with no window that follows from the data."""
        return replace(self, windows=Windows(self.windows.asked))
