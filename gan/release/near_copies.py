"""Images that are copies of training images, or nearly so: a release does not hand them on."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gan.evaluation.copy_shares import LEVEL
from gan.metrics.copies import MIN_HOLDOUT, find_pixel_copies
from gan.metrics.pixel_vectors import Images as ManyImages
from gan.metrics.pixel_vectors import PixelVectors, nearest_pixels
from gan.release.duplicates import near_threshold
from gan.release.fingerprints import Fingerprints
from gan.release.near_index import NearIndex
from gan.release.selection import Images, Labels, Verdicts

Array = npt.NDArray[np.float64]

EXACT_COPY, SHIFTED_COPY, NEAR_COPY = (
    "copy of a training image",
    "shifted or recompressed copy of a training image",
    "near copy of a training image",
)
_NEXT = 10  # neighbours behind the nearest, as `find_pixel_copies` has them
_BLOCK = 1024


class CopyThresholds(NamedTuple):
    """From where on an image is a copy, and how many images that cannot be copies are called so.

    Attributes:
        distance: grey levels between small pictures; 0 finds equal pixels alone.
        score: of `find_pixel_copies`; None without a holdout.
        level: share of honest images that each of the two may reject.
        holdout_shares: of held out images that are rejected, by reason: the control; None without a holdout.
    """

    distance: float
    score: float | None
    level: float
    holdout_shares: dict[str, float] | None = None

    @property
    def holdout_share(self) -> float | None:
        """Of held out images that are rejected, for whatever reason."""
        return None if self.holdout_shares is None else sum(self.holdout_shares.values())


class CopyLook:
    """Rejects images that equal a training image, or are nearer to one than held out images come.

    Two kinds of nearness are looked at, and each may reject half of `level` of the held out images: small pictures
    that are nearly equal at some shift of one pixel, which finds copies that were shifted or compressed again, and the
    score of `find_pixel_copies`, which also sees mirrored and more freely altered ones, at ten times the cost.

    Args:
        training: images [M, H, W, C] uint8, from 2 up.
        holdout: likewise, real images that were not trained on; with fewer than 20 there is no control: what training
            images do among themselves sets the distance, and there are no scores.
        level: share of honest images that may be rejected.
        scores: whether the score is looked at.
        device: where scores are taken.

    Raises:
        ValueError: the images are of several sizes, or of no kind that can be compared.
    """

    reasons = (EXACT_COPY, SHIFTED_COPY, NEAR_COPY)

    def __init__(
        self,
        training: ManyImages,
        holdout: ManyImages | None,
        *,
        level: float = LEVEL,
        scores: bool = True,
        device: str | torch.device = "cpu",
    ) -> None:
        held = holdout if holdout is not None and len(holdout) >= MIN_HOLDOUT else None
        if held is not None and held.shape[1:] != training.shape[1:]:
            raise ValueError(f"training images are {training.shape}, but held out ones {held.shape}")
        self.device, share = device, level / 2 if scores else level
        prints = _fingerprints(training)
        self._digests = np.unique(prints.words)
        distance = near_threshold(prints, len(prints), level=share)
        if held is not None and distance > 0.0:
            distance = _allowed(NearIndex(prints.pictures, distance), _fingerprints(held), share)
        self._index = NearIndex(prints.pictures, distance) if distance > 0.0 else None
        score, self._vectors = None, None
        if scores and held is not None:
            score = find_pixel_copies(held[:1], training, held, level=share, pairs=0, device=device).threshold
            self._vectors = PixelVectors.of(training, device=device)
        self.thresholds = CopyThresholds(distance, score, share)
        if held is not None:
            blocks = [self._verdicts(np.asarray(held[i : i + _BLOCK])) for i in range(0, len(held), _BLOCK)]
            counts = np.bincount(np.concatenate(blocks), minlength=1 + len(self.reasons))[1:] / len(held)
            shares = dict(zip(self.reasons, counts.tolist(), strict=True))
            self.thresholds = self.thresholds._replace(holdout_shares=shares)

    def __call__(self, images: Images, labels: Labels) -> Verdicts:
        """As `Look`."""
        return self._verdicts(images)

    def scores(self, images: Images) -> Array:
        """Return the scores [N] of `find_pixel_copies` of images [N, H, W, C] uint8; inf where none are taken."""
        if self._vectors is None or not len(images):
            return np.full(len(images), np.inf)
        ours = PixelVectors.of(images, device=self.device)
        distances, _ = nearest_pixels(ours, self._vectors, min(_NEXT + 1, len(self._vectors)), device=self.device)
        first, others = distances[:, 0].astype(np.float64), distances[:, 1:].mean(axis=1, dtype=np.float64)
        result: Array = np.divide(first, others, out=np.zeros_like(others), where=others > 0)
        return result

    def _verdicts(self, images: Images) -> Verdicts:
        verdicts, prints = np.zeros(len(images), np.int64), Fingerprints.of(images)
        if self.thresholds.score is not None:
            verdicts[self.scores(images) < self.thresholds.score] = 1 + self.reasons.index(NEAR_COPY)
        if self._index is not None:
            for near in self._index.near(prints.pictures):
                verdicts[near.queries] = 1 + self.reasons.index(SHIFTED_COPY)
        verdicts[np.isin(prints.words, self._digests)] = 1 + self.reasons.index(EXACT_COPY)
        return verdicts


def _fingerprints(images: ManyImages) -> Fingerprints:
    return Fingerprints.join(
        [Fingerprints.of(np.asarray(images[start : start + _BLOCK])) for start in range(0, len(images), _BLOCK)]
    )


def _allowed(index: NearIndex, held: Fingerprints, share: float) -> float:
    # the index's threshold, or what is below the distances of the held out images that are too many; equal pixels are
    # no measure of chance: there the data holds an image twice
    nearest = np.full(len(held), np.inf)
    for near in index.near(held.pictures):
        np.minimum.at(nearest, near.queries, near.distances)
    found = np.sort(nearest[np.isfinite(nearest) & (nearest > 0.0)])
    most = int(share * len(held))
    if len(found) <= most:
        return index.threshold
    return float(np.floor(10.0 * np.nextafter(found[most], 0.0)) / 10.0)
