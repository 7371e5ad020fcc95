"""Exact nearest neighbours among many features, and the pairs that lie within radii, in bounded memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gan.device.fp32 import full_fp32

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.int64]

_BLOCK_VALUES = 2**22
_MAX_SIDE = 2048
_MAX_PAIRS = 2**17
_SPARE = 8  # candidates beyond k: products in float32 cannot rank what is almost equally far
_SLACK = 1e-12  # above the relative error of squares from products in float64, up to 4,000 dimensions


def nearest(
    queries: Features, reference: Features, k: int, *, exclude_self: bool = False, device: str | torch.device = "cpu"
) -> tuple[npt.NDArray[np.float32], Indices]:
    """Return the k nearest reference features of every query, by Euclidean distance.

    Products in float32 propose candidates, whose distances are then measured directly, because |a|^2 + |b|^2 - 2ab
    cancels for near copies. Queries that may lack a neighbour, by the bound on the products' error, are searched again
    with products in float64. Equal features have distance 0 and come first.

    Args:
        queries: [N, D] of any float dtype, finite.
        reference: [M, D] likewise.
        k: how many neighbours, from 1 up to M, or to M - 1 with `exclude_self`.
        exclude_self: queries are the reference, and row i may not find itself; another row that equals it is found.
        device: where products are taken; beside arguments and result less than 256 MB are used.

    Returns:
        Distances [N, k] float32, ascending, and indices into the reference [N, k] int64.

    Raises:
        ValueError: k is below 1 or too large, the sets differ in D (or N with `exclude_self`), or are not finite.

    Reference: Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1, for the bound.
    """
    centre = _common_centre(queries, reference)
    others = len(reference) - exclude_self
    if not 1 <= k <= others:
        raise ValueError(f"k = {k} neighbours were asked for, but a query has {others} features to find")
    if exclude_self and len(queries) != len(reference):
        raise ValueError(
            f"exclude_self is for one set, but there are {len(queries)} queries and {len(reference)} others"
        )
    distances, indices = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
    todo, side = np.arange(len(queries)), _side(queries)
    for dtype in (torch.float32, torch.float64):
        doubtful = [todo[:0]]
        for start in range(0, len(todo), side):
            rows = todo[start : start + side]
            block = _centred(queries[rows], centre, dtype, device)
            found, farthest = _candidates(
                block, reference, centre, min(k + _SPARE, others), rows if exclude_self else None
            )
            squared = _measure(queries[rows], reference, found)
            order = squared.argsort(axis=1, kind="stable")[:, :k]
            squared = np.take_along_axis(squared, order, axis=1)
            distances[rows], indices[rows] = np.sqrt(squared), np.take_along_axis(found, order, axis=1)
            if found.shape[1] < others:
                doubtful.append(rows[_in_doubt(block, squared[:, -1], farthest)])
        todo = np.concatenate(doubtful)
    return distances, indices


def pairs_within(
    a: Features, b: Features, radii_a: Features, radii_b: Features, *, device: str | torch.device = "cpu"
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield every pair of which one feature lies in the closed ball around the other, from one pass over the products.

    Args:
        a: [N, D] of any float dtype, finite.
        b: [M, D] likewise.
        radii_a: [N] of the balls around `a`.
        radii_b: [M] of the balls around `b`.
        device: where products are taken; beside the arguments less than 256 MB are used.

    Yields:
        Indices into `a` [P] int64, indices into `b` [P] int64 and squared distances [P] float64, on the CPU, of at
        most 131,072 pairs. Squares are rounded down by their error, so a copy lies within radius 0.

    Raises:
        ValueError: the sets differ in D or are not finite.
    """
    centre, side = _common_centre(a, b), _side(a)
    limits_a, limits_b = (torch.from_numpy(np.square(r, dtype=np.float64)).to(device) for r in (radii_a, radii_b))
    for top in range(0, len(a), side):
        block = _centred(a[top : top + side], centre, torch.float64, device)
        norms = block.square().sum(dim=1, keepdim=True) * (1 - _SLACK)
        for left in range(0, len(b), side):
            squared = (
                _squared(block, _centred(b[left : left + side], centre, torch.float64, device), 1 - _SLACK) + norms
            )
            limits = torch.maximum(limits_a[top : top + side, None], limits_b[None, left : left + side])
            for pairs in torch.split((squared <= limits).nonzero(), _MAX_PAIRS):
                i, j = pairs.unbind(dim=1)
                yield (i + top).cpu(), (j + left).cpu(), squared[i, j].cpu()


def _candidates(
    block: Tensor, reference: Features, centre: Array, count: int, own: Indices | None
) -> tuple[Indices, Array]:
    # indices [n, count], and the square [n] that products give for the farthest of them: all others are beyond it
    best = torch.empty(len(block), 0, dtype=block.dtype, device=block.device)
    found = torch.empty(len(block), 0, dtype=torch.int64, device=block.device)
    side = _side(reference)
    for left in range(0, len(reference), side):
        squared = _squared(block, _centred(reference[left : left + side], centre, block.dtype, block.device))
        if own is not None:
            here = np.flatnonzero((left <= own) & (own < left + side))
            squared[torch.from_numpy(here), torch.from_numpy(own[here] - left)] = torch.inf
        values, places = squared.topk(min(count, squared.shape[1]), largest=False)
        best, found = torch.cat([best, values], dim=1), torch.cat([found, places + left], dim=1)
        best, order = best.topk(min(count, best.shape[1]), largest=False)
        found = found.gather(1, order)
    return found.cpu().numpy(), (best[:, -1] + block.square().sum(dim=1)).cpu().numpy().astype(np.float64)


def _in_doubt(block: Tensor, squared: Array, farthest: Array) -> npt.NDArray[np.bool_]:
    # what was not found can only be nearer if its norm is below |a| + d; overflowed products compare as doubtful
    reach = 2 * block.square().sum(dim=1).sqrt().cpu().numpy().astype(np.float64) + np.sqrt(squared)
    error = (block.shape[1] + 16) * torch.finfo(block.dtype).eps * np.square(reach)
    doubt: npt.NDArray[np.bool_] = (squared > 0) & ~(squared + error < farthest)
    return doubt


def _measure(queries: Features, reference: Features, found: Indices) -> Array:
    squared = np.empty(found.shape)
    step = max(1, _BLOCK_VALUES // (2 * found.shape[1] * queries.shape[1]))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        difference = reference[found[rows]].astype(np.float64) - queries[rows, None]
        squared[rows] = np.einsum("nkd,nkd->nk", difference, difference)
    return squared


def _squared(a: Tensor, b: Tensor, norm_factor: float = 1.0) -> Tensor:
    # squared distances less |a|^2, which is common to a row
    with full_fp32():  # TF32 would break the bound on the error of products in float32
        return torch.addmm(b.square().sum(dim=1)[None] * norm_factor, a, b.T, alpha=-2)


def _centred(features: Features, centre: Array, dtype: torch.dtype, device: str | torch.device) -> Tensor:
    # subtracted before rounding to float32: an offset common to all features would eat their differences
    kind = np.float32 if dtype == torch.float32 else np.float64
    difference = np.subtract(features, centre, dtype=np.promote_types(features.dtype, kind))
    return torch.from_numpy(difference.astype(kind, copy=False)).to(device)


def _common_centre(a: Features, b: Features) -> Array:
    if a.ndim != 2 or a.shape[1:] != b.shape[1:]:
        raise ValueError(f"features are {a.shape} and {b.shape}, expected [N, D] and [M, D]")
    centre: Array = (a.sum(axis=0, dtype=np.float64) + b.sum(axis=0, dtype=np.float64)) / (len(a) + len(b))
    if not np.isfinite(centre).all():
        raise ValueError("features are not finite")
    return centre


def _side(features: Features) -> int:
    side: int = max(1, min(_MAX_SIDE, _BLOCK_VALUES // max(1, features.shape[1])))
    return side
