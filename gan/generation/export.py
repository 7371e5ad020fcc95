"""The artifact that users get: one graph from (seed, label) to pixels, with none of this project's code in it."""

import copy

import torch
from torch import Tensor, nn

from gan.generation.sampling import resolve_labels, to_uint8
from gan.keyed_random import Purpose, normal
from gan.networks.interface import Generator

# Changes whenever the same (seed, label) would give another z.
PROGRAM_FORMAT_VERSION = 1


class SeededGenerator(nn.Module):
    """A generator that draws its own noise: what is exported, registered and served.

    Args:
        G: a trained generator, usually G_ema; a copy of it on the CPU, in the form for drawing, takes its place.
        psi: factor of z, see `gan.generation.truncation`; what is registered has 1.
    """

    def __init__(self, G: Generator, psi: float = 1.0) -> None:
        super().__init__()
        self.psi = psi
        self.G = copy.deepcopy(G).cpu().eval().for_drawing().eval().requires_grad_(False)
        for parameter in self.G.parameters():
            parameter.data = parameter.data.contiguous()  # torch.export.save warns of any other memory order

    def forward(self, seed_label: Tensor) -> Tensor:
        """Generate images.

        Args:
            seed_label: [N, 2] int64; column 0 any seed, column 1 a class, or -1 for one drawn from the seed.

        Returns:
            [N, H, W, C] uint8.
        """
        seeds = seed_label[:, 0]
        labels = resolve_labels(seeds, seed_label[:, 1], self.G.num_classes)
        z = normal(seeds, Purpose.LATENT, self.G.latent_dim)
        return to_uint8(self.G(z if self.psi == 1.0 else self.psi * z, labels))


def export_program(generator: SeededGenerator) -> torch.export.ExportedProgram:
    """Export with a free batch size; the result equals the eager module to one grey level."""
    example = torch.zeros(2, 2, dtype=torch.int64)
    batch = torch.export.Dim("batch", min=1)
    return torch.export.export(generator, (example,), dynamic_shapes=({0: batch},))
