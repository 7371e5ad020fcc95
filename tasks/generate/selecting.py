"""What a release is selected by: no copies of real images, none unlike them, nothing that a release holds already."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gan.configuration.config import ReleaseConfig
from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.data.near_duplicates.near_threshold import near_threshold
from gan.data.store.resident import Resident
from gan.evaluation.real import RealImages
from gan.metrics.copy_control import Control
from gan.release.checks import Check, copy_check
from gan.release.duplicates import Duplicates
from gan.release.near_copies import CopyLook
from gan.release.recipe import Selection
from gan.release.selection import Look, Looks
from tasks.generate.names import fingerprints_of
from tasks.generate.packed import Counting
from tasks.generate.realistic import Realistic
from tasks.generate.repeats import Packed, Repeats, pack, unpack
from tasks.runtime.settings import Settings

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
_BLOCK = 1024
_MOST_SCORED = 100_000  # images of a release that is also looked at for mirrored copies, which takes ten times as long
_MOST_TRAINING = 50_000  # images among which copies are looked for, as an evaluation does


@dataclass(frozen=True, eq=False)
class Selecting:
    """How images are chosen, and what is left to look at when all are there.

    Attributes:
        selection: for the drawing.
        copies: the look at copies, whose thresholds are its control; None where nobody looks.
        refused: what stands against the first images as copies, so that nothing is gained by drawing again: the release
            is drawn as it comes, and refused; None where nothing does.
        find: maps packed fingerprints [N, B] of all rows to the duplicates among them; None where nobody looks.
        keep: keeps packed fingerprints, so that later releases do not repeat these images.
    """

    selection: Selection = field(default_factory=Selection)
    copies: CopyLook | None = None
    refused: str | None = None
    find: Callable[[Packed], Duplicates] | None = None
    keep: Callable[[Packed], None] = lambda packed: None


def select(
    settings: Settings,
    config: ReleaseConfig,
    real: RealImages | None,
    *,
    name: str,
    count: int,
    first: Images,
    labels: Rows,
    open_realistic: Callable[[], Realistic] | None = None,
    counting: Counting = lambda what, total: lambda done: None,
) -> Selecting:
    """Return what the images of a release are chosen by.

    Args:
        settings: where fingerprints of earlier releases are.
        config: what is to be rejected.
        real: what the model was trained on; None where it is not to be had, and then copies are not looked for.
        name: of the release.
        count: its images.
        first: some images [n, H, W, C] uint8 that the model draws, by which it is told whether it copies.
        labels: [n] int64 of these.
        open_realistic: makes what holds images against real ones; None where nobody asks for realism.
        counting: called with what is looked at next, and how many images; returns what counts them.
    """
    training, holdout = (real.splits.get(split) if real else None for split in ("train", "test"))
    look = None
    if config.reject_copies and training is not None:
        held_out = compared_pixels(holdout) if holdout is not None else None
        look = CopyLook(compared_pixels(training), held_out, scores=count <= _MOST_SCORED)
    if look is not None and not (found := copies_among(look, first, labels)).passed:
        return Selecting(Selection(), look, found.said)
    realistic = open_realistic() if open_realistic else None
    if not config.reject_duplicates:
        return Selecting(_selection(look, realistic, {}), look)
    side = Fingerprints.of(first[:1]).pictures.shape[1:]
    own = fingerprints_of(settings, name)
    earlier = {path.stem: Fingerprints.read(path) for path in sorted(own.parent.glob("*.npz")) if path != own}
    threshold = 0.0
    if training is not None:
        threshold = near_threshold(_fingerprints(training), count + sum(map(len, earlier.values())))

    find = Repeats(side, list(earlier.values()), threshold, counting)
    described = {"duplicates": {"distance": threshold, "earlier_releases": sorted(earlier)}}
    return Selecting(
        _selection(look, realistic, described, fingerprint=pack, duplicates=find.rows),
        look,
        None,
        find,
        lambda packed: _keep(own, unpack(packed, side)),
    )


def copies_among(look: CopyLook, images: Images, labels: Rows) -> Check:
    """Say whether more of images [n, H, W, C] are copies of training images than chance and the control explain."""
    counts = np.bincount(look(images, labels), minlength=1 + len(look.reasons))[1:]
    rejected = dict(zip(look.reasons, counts.tolist(), strict=True))
    return copy_check(rejected, len(images), look.thresholds)


@dataclass(frozen=True, eq=False)
class _Ready:
    """Hands over a look that is made; of a class, so that it can travel to other processes."""

    look: Look

    def __call__(self) -> Look:
        return self.look


@dataclass(frozen=True, eq=False)
class _AllOf:
    """Makes several looks to one, in the process that looks."""

    make: tuple[Callable[[], Look], ...]

    def __call__(self) -> Look:
        return Looks([each() for each in self.make])


def _selection(look: CopyLook | None, realistic: Realistic | None, described: dict[str, Any], **by: Any) -> Selection:
    make: list[Callable[[], Look]] = []
    if look is not None:
        found = look.thresholds
        copies: dict[str, Any] = {"distance": found.distance, "score": found.score, "level": found.level}
        if found.control is Control.AMONG:
            copies["control"] = found.control
        described = described | {"copies": copies}
        make.append(_Ready(look))
    if realistic is not None:  # last, for it costs most
        described = described | {"realism": realistic.described}
        make.append(realistic)
    return Selection(described, _AllOf(tuple(make)) if make else None, **by)


def compared_pixels(split: Resident) -> Images:
    """The images of a split with which others are compared."""
    return np.asarray(split.images[:_MOST_TRAINING])


def _fingerprints(split: Resident) -> Fingerprints:
    images = split.images
    parts = [Fingerprints.of(np.asarray(images[start : start + _BLOCK])) for start in range(0, len(images), _BLOCK)]
    return Fingerprints.join(parts)


def _keep(path: Path, fingerprints: Fingerprints) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fingerprints.write(path)
