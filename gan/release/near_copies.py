"""Images that are copies of training images, or nearly so: a release does not hand them on."""

from typing import NamedTuple

import numpy as np
import torch

from gan.evaluation.copy_shares import LEVEL
from gan.metrics.copies import MIN_HOLDOUT
from gan.metrics.pixel_copies import Nearness, PixelNearness
from gan.metrics.pixel_vectors import Images as ManyImages
from gan.release.selection import Images, Labels, Verdicts

EXACT_COPY, SHIFTED_COPY, NEAR_COPY = (
    "copy of a training image",
    "shifted or recompressed copy of a training image",
    "near copy of a training image",
)


class CopyThresholds(NamedTuple):
    """From where on an image is a copy, and how many images that cannot be copies are called so.

    Attributes:
        distance: grey levels between small pictures; 0 finds equal pixels alone.
        score: of `PixelNearness`; None where it is not looked at.
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

    Both ways of `PixelNearness` are taken, as an evaluation does, and each may reject half of `level` of the held out
    images.

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
        self._look = PixelNearness(training, level=level, scores=scores and held is not None, device=device)
        chance = self._look(held) if held is not None else None
        self._thresholds = self._look.thresholds(chance)
        shares = None
        if chance is not None:
            counts = np.bincount(self._verdicts(chance), minlength=1 + len(self.reasons))[1:] / len(chance.scores)
            shares = dict(zip(self.reasons, counts.tolist(), strict=True))
        self.thresholds = CopyThresholds(*self._thresholds, self._look.each_level, shares)

    def __call__(self, images: Images, labels: Labels) -> Verdicts:
        """As `Look`."""
        return self._verdicts(self._look(images)) if len(images) else np.zeros(0, np.int64)

    def _verdicts(self, found: Nearness) -> Verdicts:
        verdicts = np.zeros(len(found.scores), np.int64)
        by = (found.equal, self._thresholds.near(found), self._thresholds.alike(found))
        for place, flags in reversed(list(enumerate(by, start=1))):
            verdicts[flags] = place
        return verdicts
