"""Images that are copies of training images, or nearly so: a release does not hand them on."""

from typing import NamedTuple

import numpy as np
import torch

from gan.evaluation.copy_shares import LEVEL
from gan.metrics.copy_control import Control
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
        control: which images cannot be copies; None where there are too few of any.
        control_shares: of the control that is rejected, by reason; None without one.
    """

    distance: float
    score: float | None
    level: float
    control: Control | None = None
    control_shares: dict[str, float] | None = None

    @property
    def control_share(self) -> float | None:
        """Of the control that is rejected, for whatever reason."""
        return None if self.control_shares is None else sum(self.control_shares.values())


class CopyLook:
    """Rejects images that equal a training image, or are nearer to one than images come that cannot be copies.

    Both ways of `PixelNearness` are taken, as an evaluation does, and each may reject half of `level` of its control:
    held out images, or where these are fewer than 20 training images among themselves. Without a control, of fewer than
    20 of these, too, equal images are rejected, and nothing is known of others.

    Args:
        training: images [M, H, W, C] uint8, from 2 up.
        holdout: likewise, real images that were not trained on; None where there are none.
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
        if holdout is not None and holdout.shape[1:] != training.shape[1:]:
            raise ValueError(f"training images are {training.shape}, but held out ones {holdout.shape}")
        self._look = PixelNearness(training, level=level, scores=scores, device=device)
        control, chance = self._look.control(holdout)
        self._thresholds = self._look.thresholds(chance)
        shares = None
        if chance is not None:
            counts = np.bincount(self._verdicts(chance), minlength=1 + len(self.reasons))[1:] / len(chance.scores)
            shares = dict(zip(self.reasons, counts.tolist(), strict=True))
        self.thresholds = CopyThresholds(*self._thresholds, self._look.each_level, control, shares)

    def __call__(self, images: Images, labels: Labels) -> Verdicts:
        """As `Look`."""
        return self._verdicts(self._look(images)) if len(images) else np.zeros(0, np.int64)

    def _verdicts(self, found: Nearness) -> Verdicts:
        verdicts = np.zeros(len(found.scores), np.int64)
        by = (found.equal, self._thresholds.near(found), self._thresholds.alike(found))
        for place, flags in reversed(list(enumerate(by, start=1))):
            verdicts[flags] = place
        return verdicts
