"""What is drawn for training images before a step: all that follows from their seeds, for many images at once."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from gan.keyed_random import Purpose, derive, image_seeds, integers, normal
from gan.objective.augment import augmentation_draws

AHEAD = 2**15
"""Images that are drawn for at once on a GPU, where a draw costs the same for few as for many."""
CACHED = 2**15
"""Numbers that are drawn at once on a CPU: what its cache holds."""


@dataclass(frozen=True)
class Draws:
    """What is drawn for n images; every column follows from the run's seed and the images' global indices.

    Attributes:
        seeds: [n] int64, the images' own.
        fake_seeds: [n] int64, of the generated images that go with them.
        mirrored: [n] uint8, 255 where the real image is mirrored and else 0, if the run mirrors any.
        z: [n, latent_dim] float32, standard normal.
        augmentation: [n, 2, numbers] float32 in [0, 1), for the real and the generated image.
    """

    seeds: Tensor
    fake_seeds: Tensor
    mirrored: Tensor
    z: Tensor
    augmentation: Tensor

    def __getitem__(self, which: slice) -> "Draws":
        """Return what is drawn for some of the images."""
        return Draws(*(getattr(self, field.name)[which] for field in fields(self)))


def draw(run_seed: int, indices: Tensor, *, latent_dim: int, augmentation: int) -> Draws:
    """Draw for the images with some global indices.

    Args:
        run_seed: of the training.
        indices: [n] int64, on the device where the draws are wanted.
        latent_dim: dimensions of z.
        augmentation: numbers that decide how an image is augmented; 0 where none is.
    """
    seeds = image_seeds(run_seed, indices)
    fake_seeds = derive(seeds, Purpose.FAKE_KEY)
    both = torch.stack([seeds, fake_seeds], dim=1)
    return Draws(
        seeds=seeds,
        fake_seeds=fake_seeds,
        mirrored=integers(seeds, Purpose.FLIP, 2).mul_(255).byte(),
        z=normal(seeds, Purpose.LATENT, latent_dim),
        augmentation=augmentation_draws(both.flatten(), augmentation).view(len(seeds), 2, augmentation),
    )


class DrawsAhead:
    """Draws for any stretch of images, and keeps what it has drawn beyond it for the next.

    Args:
        run_seed: of the training.
        device: where the draws are wanted.
        latent_dim: dimensions of z.
        augmentation: as of `draw`.
    """

    def __init__(self, run_seed: int, device: torch.device, *, latent_dim: int, augmentation: int) -> None:
        self.run_seed, self.device = run_seed, device
        self.latent_dim, self.augmentation = latent_dim, augmentation
        widest = max(latent_dim, 2 * augmentation, 1)
        self.ahead = AHEAD if device.type == "cuda" else max(1, CACHED // widest)
        self._start, self._drawn = 0, self._draw(0, 0)

    def of(self, start: int, stop: int) -> Draws:
        """Return the draws for images with global indices start to stop - 1."""
        if not self._start <= start <= stop <= self._start + len(self._drawn.seeds):
            self._start, self._drawn = start, self._draw(start, max(stop, start + self.ahead))
        return self._drawn[start - self._start : stop - self._start]

    def _draw(self, start: int, stop: int) -> Draws:
        indices = torch.arange(start, stop, device=self.device)
        return draw(self.run_seed, indices, latent_dim=self.latent_dim, augmentation=self.augmentation)
