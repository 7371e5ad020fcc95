"""How good a training is on its way: FID of few of its checkpoints, while its clock stands still."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gan.configuration.config import Config
from gan.metrics.fid_interval import fid_estimate
from gan.networks.build import build_generator
from gan.networks.interface import Generator
from gan.training.checkpoint import load_header, load_tensors
from quality.clock import Clock
from quality.data import Labelled
from quality.kept import kept, read_json
from quality.measuring import Judge, draw, usual_kernels

LOOKS = 4
"""Equal parts of a training, each but the last with a look behind it: after that come the scores of the whole."""


@dataclass(frozen=True)
class Looks:
    """Looks at checkpoints; what was found lies in a folder, a file a look, and is not looked for again.

    Attributes:
        folder: of what is found.
        real: images that generated ones are compared with; as many are drawn.
        judge: with the feature network.
        clock: of the training.
        total_nimg: images in the whole training.
    """

    folder: Path
    real: Labelled
    judge: Judge
    clock: Clock
    total_nimg: int

    def __call__(self, cur_nimg: int, newest: Callable[[], Path]) -> None:
        """Look at the newest checkpoint, of `cur_nimg` images, if it is the first behind a mark."""
        part = LOOKS * cur_nimg // self.total_nimg
        if 0 < part < LOOKS:
            with self.clock.stopped(), usual_kernels():
                kept(self.folder / f"{part}-of-{LOOKS}.json", lambda: self._score(newest(), cur_nimg))

    def _score(self, checkpoint: Path, cur_nimg: int) -> dict[str, Any]:
        G = generator_of(checkpoint, self.judge.device)
        images = draw(G, self.real.labels, self.judge.device)
        a = self.judge.features(images, self.folder / f"features-{cur_nimg}")
        b = self.judge.of_real(self.real)
        found = fid_estimate(a.features, b.features, moments_a=a.moments, moments_b=b.moments)
        self.judge.say(f"FID of {len(images):,} images after {cur_nimg:,}: {found.value:.2f}")
        score = {"fid": found.value, "low": found.low, "high": found.high, "fid_images": len(images)}
        return {"images": cur_nimg, "seconds": round(self.clock.at(cur_nimg), 2)} | score


def looked_at(folder: Path) -> list[dict[str, Any]]:
    """Return what looks have found, in the order of the training."""
    return [read_json(path) for path in sorted(folder.glob(f"*-of-{LOOKS}.json"))]


def generator_of(checkpoint: Path, device: torch.device) -> Generator:
    """Return the G_ema of a checkpoint."""
    header = load_header(checkpoint)
    config = Config.model_validate(header.config)
    G = build_generator(config.network, **header.shape)
    G.load_state_dict(load_tensors(checkpoint, device)["G_ema"])
    return G.eval().to(device)
