"""Keyed randomness: every draw is a function of (seed, image index, purpose), so no stream is ever shared.

Threefry-2x32 with 20 rounds, carried in int64 with masks so that eager PyTorch, an exported graph, ONNX and every
device compute the same bits. The golden tests freeze it; a change of it is a new format version.

Reference: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 4.2.
"""

import math
from enum import IntEnum

import torch
from torch import Tensor

MASK32 = 0xFFFFFFFF
_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_BLOCK = 2**15
"""Positions whose keys are computed at once: what a processor's cache holds, a third of the time for a million."""


class Purpose(IntEnum):
    """What a draw is for; two purposes never share a number. The values are frozen."""

    LATENT = 1
    LABEL = 2
    ORDER = 3
    FLIP = 4
    IMAGE_KEY = 5
    DROPOUT = 6
    FAKE_KEY = 7
    AUGMENT = 8
    INTERPOLATE = 9
    PROJECTION = 10
    MIXING = 11


def _rotate_left(x: Tensor, distance: int) -> Tensor:
    return ((x << distance) | (x >> (32 - distance))) & MASK32


def threefry2x32(key: tuple[Tensor, Tensor], counter: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Encrypt a counter under a key.

    Args:
        key: two int64 tensors with values in [0, 2**32).
        counter: two int64 tensors with values in [0, 2**32), broadcastable with the key.

    Returns:
        Two int64 tensors of the broadcast shape with values in [0, 2**32).

    Reference: Salmon et al. 2011, section 4.2 (Threefry-2x32-20; the test vectors of Random123 hold).
    """
    keys = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    x0 = (counter[0] + keys[0]) & MASK32
    x1 = (counter[1] + keys[1]) & MASK32
    for group in range(5):
        for distance in _ROTATIONS[group % 2]:
            x0 = (x0 + x1) & MASK32
            x1 = _rotate_left(x1, distance) ^ x0
        injection = group + 1
        x0 = (x0 + keys[injection % 3]) & MASK32
        x1 = (x1 + keys[(injection + 1) % 3] + injection) & MASK32
    return x0, x1


def _words(seeds: Tensor) -> tuple[Tensor, Tensor]:
    return seeds & MASK32, (seeds >> 32) & MASK32


def random_bits(seeds: Tensor, purpose: Purpose, dimensions: int) -> tuple[Tensor, Tensor]:
    """Two words for each seed and dimension.

    Args:
        seeds: [N] int64, any value.
        purpose: what the draw is for.
        dimensions: how many draws per seed, D.

    Returns:
        Two tensors [N, D] int64 in [0, 2**32), keyed by (seed low word, seed high word, purpose, dimension).
    """
    low, high = _words(seeds[:, None])
    dimension = torch.arange(dimensions, dtype=torch.int64, device=seeds.device)[None, :]
    return threefry2x32((low, high), (torch.full_like(dimension, int(purpose)), dimension))


def normal(seeds: Tensor, purpose: Purpose, dimensions: int) -> Tensor:
    """Standard normal draws by Box and Muller's method.

    The transform runs in float64 and is rounded once to float32: the last bit of log and cos differs between
    devices in float64, where rounding hides it, and would show in float32.

    Args:
        seeds: [N] int64.
        purpose: what the draw is for.
        dimensions: D.

    Returns:
        [N, D] float32.

    Reference: Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958, equation (1).
    """
    word0, word1 = random_bits(seeds, purpose, dimensions)
    radius = torch.sqrt(-2.0 * torch.log((word0.double() + 1.0) * 2.0**-32))
    return (radius * torch.cos(word1.double() * (2.0 * math.pi * 2.0**-32))).float()


def uniform(seeds: Tensor, purpose: Purpose, dimensions: int) -> Tensor:
    """Uniform draws.

    Args:
        seeds: [N] int64.
        purpose: what the draw is for.
        dimensions: D.

    Returns:
        [N, D] float32 in [0, 1), multiples of 2**-24.
    """
    word, _ = random_bits(seeds, purpose, dimensions)
    return (word >> 8).float() * 2.0**-24


def derive(seeds: Tensor, purpose: Purpose) -> Tensor:
    """Return new seeds [N] int64, one for each of `seeds`, so that what belongs together can draw apart."""
    word0, word1 = random_bits(seeds, purpose, 1)
    return (word1[:, 0] << 32) | word0[:, 0]


def integers(seeds: Tensor, purpose: Purpose, bound: int) -> Tensor:
    """One integer per seed, uniform in [0, bound) up to a bias of bound / 2**32.

    Args:
        seeds: [N] int64.
        purpose: what the draw is for.
        bound: exclusive upper bound, 1 to 2**31.

    Returns:
        [N] int64 in [0, bound).
    """
    word, _ = random_bits(seeds, purpose, 1)
    return (word[:, 0] * bound) >> 32


def image_seeds(run_seed: int, indices: Tensor) -> Tensor:
    """The 64-bit seed of each training image, from the run's seed and the image's global index.

    Args:
        run_seed: seed of the training run, 0 to 2**63 - 1.
        indices: [N] int64, global image indices (0 is the run's first image).

    Returns:
        [N] int64.
    """
    run = torch.full_like(indices, run_seed)
    low, high = _words(indices)
    # The counter's high word carries the purpose in its top bits: indices stay below 2**60.
    word0, word1 = threefry2x32(_words(run), (low, high | (int(Purpose.IMAGE_KEY) << 28)))
    return (word1 << 32) | word0


def epoch_order(run_seed: int, epoch: int, size: int) -> Tensor:
    """A keyed permutation of the dataset for one pass over it.

    Args:
        run_seed: seed of the training run.
        epoch: which pass, from 0.
        size: images in the dataset, n.

    Returns:
        [n] int64 permutation of 0..n-1, on the CPU.
    """
    low, high = _words(image_seeds(run_seed, torch.tensor([epoch], dtype=torch.int64)))
    sort_keys = torch.empty(size, dtype=torch.int64)
    for first in range(0, size, _BLOCK):
        positions = torch.arange(first, min(first + _BLOCK, size), dtype=torch.int64)
        word0, word1 = threefry2x32((low, high), (torch.full_like(positions, int(Purpose.ORDER)), positions))
        # 63 bits: the sort key must not turn negative; stable, so that equal keys cannot depend on the device.
        sort_keys[first : first + _BLOCK] = ((word1 >> 1) << 32) | word0
    return torch.argsort(sort_keys, stable=True)
