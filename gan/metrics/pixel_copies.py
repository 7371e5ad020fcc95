"""Copies of training images among others, told by their pixels in two ways, and by what images do that are none."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch

from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.data.near_duplicates.near_index import NearIndex
from gan.data.near_duplicates.near_threshold import near_threshold
from gan.metrics.copies import CopiesResult, CopyPair, copy_scores, require_enough, share_of
from gan.metrics.copy_control import Control, control_of, looked_up, nearer, redrawn, score_threshold
from gan.metrics.pixel_vectors import Images, PixelVectors, nearest_pixels

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]

_BLOCK = 1024


class Nearness(NamedTuple):
    """How near N images come to training images.

    Attributes:
        equal: [N] bool, whether a training image has the same pixels.
        distances: [N] float64, grey levels between small pictures at the best shift by up to one pixel, to the nearest
            training image; inf where none is as near as could count.
        rows: [N] int64, which training image that is; -1 where none is.
        scores: [N] float64, the distance of `nearest_pixels` to the nearest training image, beside that to the next
            ones; inf where it was not taken.
        candidates: [N] int64, which training image that is; -1 where it was not taken.
    """

    equal: Flags
    distances: Array
    rows: Rows
    scores: Array
    candidates: Rows

    @classmethod
    def join(cls, parts: Sequence["Nearness"]) -> Self:
        """Return that of several blocks [one or more] of images, in their order."""
        columns: tuple[Any, ...] = tuple(zip(*parts, strict=True))
        return cls(*(np.concatenate(each) for each in columns))

    def take(self, rows: Rows) -> "Nearness":
        """Return that of these images [n] int64."""
        columns: tuple[Any, ...] = self
        return Nearness(*(each[rows] for each in columns))


class NearnessThresholds(NamedTuple):
    """From where on an image is a copy.

    Attributes:
        distance: grey levels between small pictures; 0 finds equal pixels alone.
        score: below it; None where scores are not looked at.
    """

    distance: float
    score: float | None

    def near(self, found: Nearness) -> Flags:
        """Say [N] which images are copies by their small pictures: shifted, recompressed or brighter ones are."""
        flags: Flags = found.distances <= (self.distance or -1.0)
        return flags

    def alike(self, found: Nearness) -> Flags:
        """Say [N] which images are copies by their scores: mirrored and more freely altered ones are, too."""
        flags: Flags = found.scores < (self.score or 0.0)
        return flags

    def copies(self, found: Nearness) -> Flags:
        """Say [N] which images are copies, in whatever way."""
        return found.equal | self.near(found) | self.alike(found)


class PixelNearness:
    """Takes how near images come to training images, in two ways of which each sees what the other misses.

    Small pictures that are nearly equal at some shift of one pixel find copies that were shifted, recompressed or made
    brighter. The distance of `nearest_pixels` also sees mirrored and more freely altered ones, at ten times the cost.

    Args:
        training: images [M, H, W, C] uint8, from 2 up, H and W from 4 up, C = 1 or 3.
        level: share of honest images that both ways together may call copies, in (0, 0.1].
        scores: whether the second way is taken.
        device: where its distances are taken.

    Raises:
        ValueError: the images are of no kind that can be compared, or level is out of range.
    """

    def __init__(
        self, training: Images, *, level: float, scores: bool = True, device: str | torch.device = "cpu"
    ) -> None:
        self.device, self.each_level = device, level / 2 if scores else level
        prints = _fingerprints(training)
        self._training = training
        self._digests, self._held = np.unique(prints.words, return_counts=True)
        self._widest = near_threshold(prints, len(prints), level=self.each_level)
        self._index = NearIndex(prints.pictures, self._widest) if self._widest > 0.0 else None
        self._vectors = PixelVectors.of(training, device=device) if scores else None

    def __call__(self, images: Images) -> Nearness:
        """Take it of images [N, H, W, C] uint8, N from 1 up, as large as the training images."""
        starts = range(0, len(images), _BLOCK)
        return Nearness.join([self._block(np.asarray(images[start : start + _BLOCK])) for start in starts])

    def control(self, holdout: Images | None) -> tuple[Control | None, Nearness | None]:
        """Say which images are the control, and take it of them: both None without one.

        Args:
            holdout: images [H, H, W, C] uint8 that were not trained on; None where there are none.
        """
        control = control_of(len(self._training), 0 if holdout is None else len(holdout))
        if control is None:
            return None, None
        if holdout is not None and control is Control.HELD_OUT:
            return control, self(holdout)
        rows = looked_up(len(self._training))
        parts = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
        return control, Nearness.join([self._block(self._images(own), own) for own in parts])

    def thresholds(self, chance: Nearness | None) -> NearnessThresholds:
        """Return from where on an image is a copy: each way may call `each_level` of the control so.

        Args:
            chance: of the control; None where there is none: what training images do among themselves then sets the
                distance, and there is no score.
        """
        if chance is None:
            return NearnessThresholds(self._widest, None)
        score = score_threshold(chance.scores, self.each_level) if self._vectors is not None else None
        return NearnessThresholds(_allowed(chance.distances, self.each_level, self._widest), score)

    def _block(self, images: npt.NDArray[np.uint8], own: Rows | None = None) -> Nearness:
        # `own`: which training images these are, none of which finds itself
        count, prints = len(images), Fingerprints.of(images)
        distances, rows = np.full(count, np.inf), np.full(count, -1)
        scores, candidates = np.full(count, np.inf), np.full(count, -1)
        if self._index is not None:
            for near in self._index.near(prints.pictures):
                order = np.lexsort((near.rows, near.distances))[::-1]  # of several the nearest is written last
                if own is not None:
                    order = order[near.rows[order] != own[near.queries[order]]]
                distances[near.queries[order]], rows[near.queries[order]] = near.distances[order], near.rows[order]
        if self._vectors is not None:
            ours = PixelVectors.of(images, device=self.device)
            scores, _, candidates = copy_scores(self._search, ours, self._vectors, own)
        digests = self._digests if own is None else self._digests[self._held > 1]
        return Nearness(np.isin(prints.words, digests), distances, rows, scores, candidates)

    def _images(self, rows: Rows) -> npt.NDArray[np.uint8]:
        return np.concatenate([np.asarray(self._training[row : row + 1]) for row in rows.tolist()])

    def _search(self, queries: PixelVectors, reference: PixelVectors, k: int) -> tuple[npt.NDArray[np.float32], Rows]:
        return nearest_pixels(queries, reference, k, device=self.device)


def find_pixel_copies(
    generated: Images,
    training: Images,
    holdout: Images | None,
    *,
    level: float = 0.005,
    pairs: int = 20,
    device: str | torch.device = "cpu",
) -> CopiesResult:
    """Find copies by their pixels, also if they are shifted by 2 pixels, mirrored, recompressed, noised or brighter.

    An image is a copy by either way of `PixelNearness`, of which each may call half of `level` of the control so. The
    control and the threshold of the score are those of `find_copies`.

    Args:
        generated: [N, H, W, C] uint8, H and W from 4 up, C = 1 or 3.
        training: images of the same size.
        holdout: likewise, or None.
        level: see `find_copies`.
        pairs: how many pairs to return: first what small pictures find, the nearest first, then by score.
        device: where distances are taken.

    Raises:
        ValueError: a set is too small, of another shape or dtype, or level or pairs are out of range.
    """
    shapes = {each.shape[1:] for each in (generated, training, holdout) if each is not None}
    if len(shapes) > 1:
        raise ValueError(f"images of one size are needed, but there are {sorted(shapes)}")
    require_enough(generated, training, level, pairs)
    look = PixelNearness(training, level=level, device=device)
    found, (control, chance) = look(generated), look.control(holdout)
    thresholds = look.thresholds(chance)
    near = thresholds.near(found)
    originals = np.where(near, found.rows, found.candidates)
    suspicious = np.lexsort((found.scores, np.where(near, found.distances, np.inf)))[:pairs]
    worst = tuple(CopyPair(int(i), int(originals[i]), float(found.scores[i])) for i in suspicious)
    if chance is None:
        return CopiesResult(worst)
    hits = [int(look.thresholds(chance.take(rows)).copies(found).sum()) for rows in redrawn(len(chance.scores))]
    return CopiesResult(
        worst,
        control,
        share_of(int(thresholds.copies(found).sum()), hits, len(generated)),
        level,
        float(thresholds.copies(chance).mean()),
        thresholds.score,
        nearer(found.scores, chance.scores) if control is Control.AMONG else None,
    )


def _fingerprints(images: Images) -> Fingerprints:
    return Fingerprints.join(
        [Fingerprints.of(np.asarray(images[start : start + _BLOCK])) for start in range(0, len(images), _BLOCK)]
    )


def _allowed(chance: Array, level: float, widest: float) -> float:
    # the widest distance, or what is below those of the control that are too many; equal pixels are no measure
    # of chance: there the data holds an image twice
    found = np.sort(chance[np.isfinite(chance) & (chance > 0.0)])
    most = int(level * len(chance))
    if len(found) <= most:
        return widest
    return float(np.floor(10.0 * np.nextafter(found[most], 0.0)) / 10.0)
