"""Which losses find all modes: 25 Gaussians on a 5x5 grid, every loss with the same networks, budget and optimizer.

Small fully connected G and D are trained by the project's own step, losses, penalties and moving average. Of 10,000
samples of G_ema one is good if it lies within 4 standard deviations of its nearest centre, and a mode is found if 20 or
more good samples are its. Reverse KL is that of the histogram of nearest centres against the uniform one, in nats: 0 is
perfect, ln 25 = 3.2 is one mode. Claim: the project's default loss, relativistic with R1 and R2, finds all 25 with at
least 90 % good samples, with every seed.

  python benchmarks/modes.py --picture modes.png    # a row for each loss, a column for each seed
  python benchmarks/modes.py --stacked-mnist mnist/ # 1,000 modes, for a GPU

Stacked MNIST draws three digits as the three channels of an image at 32 px. R3GAN's networks of a preset learn it
without labels; a small classifier, trained here, reads the three digits of each of 26,000 samples: a mode is found if
one of them is its. Progress goes to standard error; the last line is one JSON object.

Reference: both tests: Lin, Khetan, Fanti, Oh, "PacGAN", NeurIPS 2018, sections 4.1 and 4.2.
"""

import argparse
import copy
import gzip
import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from measured.figures import say
from torch import Tensor, nn

from gan.configuration.presets import preset
from gan.configuration.schedules import StepSettings, cosine, ema_decay
from gan.configuration.vocabulary import LossKind
from gan.data.pixels.png import encode_png
from gan.errors import NonFiniteLossError
from gan.generation.grids import image_grid
from gan.generation.sampling import sample_uint8
from gan.keyed_random import Purpose, normal
from gan.networks.build import build_discriminator, build_generator
from gan.networks.initialisation import LEAKY_GAIN, LEAKY_SLOPE, he_normal
from gan.networks.interface import Discriminator, Generator
from gan.objective.gradients import Objective
from gan.objective.losses import LOSSES
from gan.training.context import SingleWorker
from gan.training.draws import draw
from gan.training.feed import Batch
from gan.training.step import Networks, Step
from gan.usefulness.classifier import train_classifier

SIDE, STD = 5, 0.0125
"""Centres a side, from -1 to 1, and the standard deviation around them: 0.05 where centres are 2 apart."""
SAMPLES, GOOD_STDS, LEAST_OF_A_MODE, LEAST_GOOD = 10_000, 4.0, 20, 0.9
WIDTH, HIDDEN, LATENT = 64, 10, 2
BETAS = (0.0, 0.99)
DIGITS, DIGIT_SIDE, DRAW_BATCH = 10, 28, 500


@dataclass(frozen=True)
class Game:
    """A loss with the weights of its penalties; gamma, of R1 and R2 alike, follows a cosine."""

    kind: LossKind
    gamma: float = 0.0
    final_gamma: float = 0.0
    gradient_penalty: float = 0.0


DEFAULT = "relativistic, R1 + R2"
GAMES = {
    DEFAULT: Game("relativistic", gamma=0.05, final_gamma=0.005),
    "relativistic": Game("relativistic"),
    "nonsaturating": Game("nonsaturating"),
    "minimax": Game("minimax"),
    "hinge": Game("hinge"),
    "wasserstein, gradient penalty": Game("wasserstein", gradient_penalty=0.1),
}
STACKED = Game("relativistic", gamma=1.0, final_gamma=0.1)


@dataclass(frozen=True)
class Budget:
    """How long and how fast networks are trained."""

    kimg: float
    batch_size: int
    lr: float
    final_lr: float
    ema_halflife_kimg: float
    bf16: bool = False


BUDGET = Budget(kimg=1792, batch_size=128, lr=1.4e-3, final_lr=5e-5, ema_halflife_kimg=5)


class PointGenerator(Generator):
    """From z [N, LATENT] to points [N, 2]."""

    latent_dim, num_classes = LATENT, 0

    def __init__(self) -> None:
        super().__init__()
        self.layers = layers(LATENT, 2)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return points."""
        return self.layers(z)


class PointDiscriminator(Discriminator):
    """From points [N, 2] to logits [N]."""

    num_classes = 0

    def __init__(self) -> None:
        super().__init__()
        self.layers = layers(2, 1)

    def forward(self, images: Tensor, labels: Tensor, seeds: Tensor) -> Tensor:
        """Return a logit for each point."""
        return self.layers(images)[:, 0]


def layers(inputs: int, outputs: int) -> nn.Sequential:
    """Return HIDDEN layers of WIDTH with leaky ReLUs, and a linear one.

    Deep rather than wide: with three layers of 128 no loss comes to half of good samples in this budget, since neither
    D sees modes this narrow nor G leaps from one to the next.
    """
    first = he_normal(nn.Linear(inputs, WIDTH))
    nn.init.uniform_(first.bias, -1.0, 1.0)  # at zero, all kinks would pass through the middle mode
    between = [he_normal(nn.Linear(WIDTH, WIDTH), LEAKY_GAIN) for _ in range(HIDDEN - 1)]
    bent = [part for layer in (first, *between) for part in (layer, nn.LeakyReLU(LEAKY_SLOPE))]
    return nn.Sequential(*bent, he_normal(nn.Linear(WIDTH, outputs)))


def centres() -> Tensor:
    """Return the grid, [25, 2]."""
    line = torch.linspace(-1.0, 1.0, SIDE)
    return torch.cartesian_prod(line, line)


def score(points: Tensor) -> dict[str, float]:
    """Return modes found, the share of good points and the reverse KL of points [N, 2]."""
    distances, nearest = torch.cdist(points, centres()).min(dim=1)
    good = distances <= GOOD_STDS * STD
    found = torch.bincount(nearest[good], minlength=SIDE**2) >= LEAST_OF_A_MODE
    return {
        "modes": int(found.sum()),
        "good": round(float(good.float().mean()), 4),
        "reverse_kl": round(reverse_kl(torch.bincount(nearest, minlength=SIDE**2)), 4),
    }


def reverse_kl(counts: Tensor) -> float:
    """Return the KL divergence of a histogram from the uniform one, in nats."""
    shares = counts.double() / counts.sum()
    return float(torch.special.xlogy(shares, shares * len(shares)).sum())


def train(
    game: Game, G: Generator, D: Discriminator, real: Callable[[int], Tensor], budget: Budget, seed: int
) -> Generator:
    """Train G and D and return G_ema.

    Args:
        game: what they play.
        G: on the device where to train.
        D: likewise.
        real: maps a number to as many real images there.
        budget: how long.
        seed: of z.
    """
    device, size, total = next(G.parameters()).device, budget.batch_size, int(budget.kimg * 1000)
    optimizers = (torch.optim.Adam(network.parameters(), betas=BETAS, fused=True) for network in (G, D))
    nets = Networks(G, D, copy.deepcopy(G).requires_grad_(False), *optimizers)
    between = game.gradient_penalty > 0
    objective = Objective(LOSSES[game.kind], r1=game.gamma > 0, r2=game.gamma > 0, between=between, bf16=budget.bf16)
    step, labels = Step(nets, objective, SingleWorker(device)), torch.zeros(size, dtype=torch.int64, device=device)
    for cur_nimg in range(0, total, size):
        gamma = cosine(game.gamma, game.final_gamma, cur_nimg, total)
        settings = StepSettings(
            batch_size=size,
            r1_gamma=gamma,
            r2_gamma=gamma,
            gradient_penalty=game.gradient_penalty,
            penalised=objective.r1 or between,
            penalty_scale=1.0,
            generator_too=True,
            augment_probability=0.0,
            lr=cosine(budget.lr, budget.final_lr, cur_nimg, total),
            beta2=BETAS[1],
            ema_decay=ema_decay(size, budget.ema_halflife_kimg, cur_nimg, 0.1),
        )
        indices = torch.arange(cur_nimg, cur_nimg + size)
        draws = draw(seed, indices.to(device), latent_dim=G.latent_dim, augmentation=0)
        step(Batch(indices, indices, draws, real(size), labels), settings, cur_nimg)
    return nets.G_ema


def grid_game(name: str, seed: int, budget: Budget) -> tuple[dict[str, float | str], np.ndarray | None]:
    """Train on the grid and return the scores and the samples [SAMPLES, 2]; none where it diverged."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    stream, grid = torch.Generator().manual_seed(seed), centres()

    def real(count: int) -> Tensor:
        which = torch.randint(len(grid), (count,), generator=stream)
        return grid[which] + STD * torch.randn(count, 2, generator=stream)

    try:
        G_ema = train(GAMES[name], PointGenerator(), PointDiscriminator(), real, budget, seed)
    except NonFiniteLossError as error:
        return {"modes": 0, "good": 0.0, "diverged": str(error)}, None
    with torch.no_grad():
        z = normal(torch.arange(SAMPLES), Purpose.LATENT, LATENT)
        points = G_ema(z, torch.zeros(SAMPLES, dtype=torch.int64))
    return score(points), points.numpy()


def compare(names: list[str], seeds: int, budget: Budget) -> tuple[dict, dict]:
    """Train all games with all seeds, a process a core, and return scores by game and samples by (game, seed)."""
    jobs = [(name, seed) for seed in range(seeds) for name in names]
    scores: dict[str, list] = {name: [] for name in names}
    samples: dict[tuple[str, int], np.ndarray | None] = {}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        runs = {job: pool.submit(grid_game, *job, budget) for job in jobs}
        for (name, seed), run in runs.items():
            found, samples[name, seed] = run.result()
            scores[name].append(found)
            say(f"{name}, seed {seed}: {found}")
    return scores, samples


def picture(samples: dict[tuple[str, int], np.ndarray | None], columns: int, side: int = 240) -> np.ndarray:
    """Return panels of samples, white on black, a row for each game: [H, W, 1] uint8."""
    panels, edge = [], 1.3
    for name in dict.fromkeys(name for name, _ in samples):
        for seed in range(columns):
            points = samples[name, seed]
            x, y = (points[:, ::-1] if points is not None else np.empty((0, 2))).T
            counts, _, _ = np.histogram2d(-x, y, bins=side, range=[[-edge, edge]] * 2)
            panels.append(np.where(counts > 0, np.minimum(90 + 40 * counts, 255), 0).astype(np.uint8))
    return image_grid(np.stack(panels)[..., None], columns, gap=4)


def stacked_mnist(
    folder: Path, budget: Budget, network: str, samples: int, *, classifier_steps: int = 2000, seed: int = 0
) -> dict[str, float]:
    """Train on three digits at a time and return modes found of 1,000, and the reverse KL.

    Args:
        folder: MNIST's files for training, compressed or not.
        budget: how long.
        network: preset whose networks are trained, for 32 px.
        samples: of G_ema.
        classifier_steps: of the network that reads digits.
        seed: of the training.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels = read_digits(folder)
    classifier = train_classifier(images, labels, DIGITS, steps=classifier_steps, device=device)
    own = classifier.predict(images[:DRAW_BATCH]) == labels[:DRAW_BATCH]
    say(f"the classifier reads {own.mean():.1%} of digits that it was trained on")
    torch.manual_seed(seed)
    shape = {"channels": 3, "num_classes": 0}
    G = build_generator(preset(network).network, **shape).to(device)
    D = build_discriminator(preset(network).network, **shape).to(device)
    planes = torch.from_numpy(images[..., 0]).to(device)
    stream = torch.Generator(device).manual_seed(seed)

    def real(count: int) -> Tensor:
        rows = torch.randint(len(planes), (count, 3), generator=stream, device=device)
        stacked = planes[rows].float().div_(127.5).sub_(1.0)
        return stacked.contiguous(memory_format=torch.channels_last)

    G_ema = train(STACKED, G, D, real, budget, seed)
    counts = torch.zeros(DIGITS**3, dtype=torch.int64)
    for some in torch.arange(samples).split(DRAW_BATCH):
        drawn = sample_uint8(G_ema, some, torch.zeros_like(some), device)
        counts += torch.bincount(stacked_mode(drawn, classifier.predict), minlength=DIGITS**3)
    return {"modes": int((counts > 0).sum()), "reverse_kl": round(reverse_kl(counts), 4)}


def stacked_mode(images: np.ndarray, predict: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """Return the number from 0 to 999 [N] whose digits the three channels of images [N, H, W, 3] uint8 show."""
    digits = [predict(np.ascontiguousarray(images[..., channel : channel + 1])) for channel in range(3)]
    return torch.from_numpy(100 * digits[0] + 10 * digits[1] + digits[2])


def read_digits(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's images for training, padded to [N, 32, 32, 1] uint8, and their labels [N] int64."""
    found = []
    for name, header in (("train-images-idx3-ubyte", 16), ("train-labels-idx1-ubyte", 8)):
        packed = folder / f"{name}.gz"
        content = gzip.decompress(packed.read_bytes()) if packed.is_file() else (folder / name).read_bytes()
        found.append(np.frombuffer(content, np.uint8, offset=header))
    margin = (32 - DIGIT_SIDE) // 2
    images = found[0].reshape(-1, DIGIT_SIDE, DIGIT_SIDE, 1)
    return np.pad(images, ((0, 0), (margin,) * 2, (margin,) * 2, (0, 0))), found[1].astype(np.int64)


def main() -> None:
    """Measure and print."""
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each loss (default 3)")
    parser.add_argument(
        "--losses", nargs="+", choices=list(GAMES), default=list(GAMES), metavar="LOSS", help="of these"
    )
    parser.add_argument("--kimg", type=float, help=f"thousand images of a training (default {BUDGET.kimg}, or 5000)")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="where to draw the samples")
    stacked = parser.add_argument_group("stacked MNIST")
    stacked.add_argument("--stacked-mnist", type=Path, metavar="FOLDER", help="MNIST's files as published")
    stacked.add_argument("--preset", default="cifar10", help="whose networks, for 32 px (default cifar10)")
    stacked.add_argument("--batch", type=int, default=256, help="images a step (default 256)")
    stacked.add_argument("--samples", type=int, default=26_000, help="(default 26,000)")
    arguments = parser.parse_args()
    started, load = time.perf_counter(), os.getloadavg()[0]
    if arguments.stacked_mnist:
        budget = Budget(arguments.kimg or 5000.0, arguments.batch, 2e-4, 5e-5, 50.0, bf16=gpu)
        found = stacked_mnist(arguments.stacked_mnist, budget, arguments.preset, arguments.samples)
        result = {"benchmark": "modes, stacked MNIST", "of": DIGITS**3, "samples": arguments.samples} | found
        result |= {"preset": arguments.preset, "game": asdict(STACKED)}
    else:
        budget = Budget(**(asdict(BUDGET) | ({"kimg": arguments.kimg} if arguments.kimg else {})))
        scores, samples = compare(arguments.losses, arguments.seeds, budget)
        if arguments.picture:
            arguments.picture.write_bytes(encode_png(picture(samples, arguments.seeds)))
        result = {"benchmark": "modes", "of": SIDE**2, "met": met(scores), "median": medians(scores), "scores": scores}
        result["games"] = {name: asdict(GAMES[name]) for name in scores}
    result |= {"budget": asdict(budget), "torch": torch.__version__, "load_before": round(load, 2)}
    print(json.dumps(result | {"seconds": round(time.perf_counter() - started)}))


def met(scores: dict[str, list]) -> dict[str, bool]:
    """Return whether the claim holds, where its loss was trained."""
    if DEFAULT not in scores:
        return {}
    runs = scores[DEFAULT]
    return {
        f"{SIDE**2} modes with every seed": all(run["modes"] == SIDE**2 for run in runs),
        f"good >= {LEAST_GOOD} with every seed": all(run["good"] >= LEAST_GOOD for run in runs),
    }


def medians(scores: dict[str, list]) -> dict[str, dict[str, float]]:
    """Return the median over seeds of modes and of the share of good samples."""
    return {
        name: {key: statistics.median(r[key] for r in runs) for key in ("modes", "good")}
        for name, runs in scores.items()
    }


if __name__ == "__main__":
    main()
