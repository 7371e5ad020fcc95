"""Which label and seed each row of a release has, and how rows lie in shards: functions of the first seed and the row.

Images of a class lie about equally far apart, each at a place that is drawn within its stretch. So any window of rows
holds the classes in nearly the proportions of all, and a reader that shuffles a buffer at a time sees them mixed.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from gan.keyed_random import MASK32, Purpose, threefry2x32

Rows = npt.NDArray[np.int64]
_BLOCK = 2**15
LAST_SEED = 2**63 - 1


def row_labels(first_seed: int, quotas: Sequence[int]) -> Rows:
    """Return the label of each row, [sum(quotas)] int64.

    In k rows that follow each other are about `k * quota / N` images of a class, give or take a few whatever k is.

    Args:
        first_seed: of the release.
        quotas: images by label.
    """
    labels = np.repeat(np.arange(len(quotas), dtype=np.int64), quotas)
    places = np.empty(len(labels), np.float64)
    starts = np.cumsum([0, *quotas[:-1]])
    for begin in range(0, len(labels), _BLOCK):
        end = min(begin + _BLOCK, len(labels))
        of = labels[begin:end]
        inside = np.arange(begin, end) - starts[of]
        places[begin:end] = (inside + _drawn(first_seed, begin, end)) / np.asarray(quotas)[of]
    return labels[np.argsort(places, kind="stable")]


def _drawn(first_seed: int, begin: int, end: int) -> npt.NDArray[np.float64]:
    """Draws in [0, 1), keyed by the first seed and the image's number."""
    numbers = torch.arange(begin, end, dtype=torch.int64)
    key = (torch.tensor(first_seed & MASK32), torch.tensor(first_seed >> 32 & MASK32))
    purpose = int(Purpose.ORDER) << 28  # numbers stay below 2**60
    word, _ = threefry2x32(key, (numbers & MASK32, numbers >> 32 | purpose))
    return word.double().numpy() * 2.0**-32


def row_seeds(first_seed: int, num_images: int, rows: Rows, attempts: Rows) -> Rows:
    """Return the seeds of rows: those of attempt a begin a whole release further, so that no two are ever equal.

    Args:
        first_seed: of the release, and the seed of row 0.
        num_images: rows of the release, N.
        rows: [n] int64 in [0, N).
        attempts: [n] int64 from 0.
    """
    return first_seed + attempts * num_images + rows


def has_room(first_seed: int, num_images: int, attempts: int) -> bool:
    """Whether all seeds that a release may need are whole numbers of 64 bits."""
    return 0 <= first_seed <= LAST_SEED - attempts * num_images


def shard_starts(num_images: int, most: int) -> list[int]:
    """Return the first row of each shard, and N: as few shards as can be, equal within one row.

    Args:
        num_images: rows of the release, N, 1 or more.
        most: rows in a shard.
    """
    count = -(-num_images // most)
    return [num_images * index // count for index in range(count + 1)]
