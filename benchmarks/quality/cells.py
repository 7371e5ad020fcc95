"""What is trained: an experiment is a table of cells, each one training and its evaluation."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gan.configuration.config import Config
from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import preset
from gan.errors import ConfigError

EVERYTHING, FEW, ONE_CLASS, RARE, PHOTOGRAPHS = "all", "500", "one-class", "rare", "100-of-a-class"


@dataclass(frozen=True)
class Budget:
    """How long a training is; one of the two.

    Attributes:
        seconds: wall time of training; the images that fit in are measured before.
        kimg: thousands of images.
    """

    seconds: float | None = None
    kimg: float | None = None

    def __str__(self) -> str:
        """Return it as a part of a name."""
        return f"{self.kimg:g}kimg" if self.seconds is None else f"{self.seconds:g}s"


@dataclass(frozen=True)
class Variant:
    """One side of a comparison: a preset and what differs from it, as `section.key=value`."""

    name: str
    preset: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """What is compared, on what.

    Attributes:
        name: of the experiment.
        dataset: published set that it takes its images from.
        subsets: training images: all of them, or a choice of few.
        variants: the first is compared with each of the others.
        reference: split that generated images are compared with.
        images: generated images, and at most as many real ones.
        budgets: where none is given.
        seeds: where none are given.
        looks_for_copies: also what is learned by heart.
        resolution: side in pixels that images are prepared at.
        images_on_the_way: generated images, and as many real ones, for the FID of few checkpoints on the way; 0: none.
    """

    name: str
    dataset: str
    variants: tuple[Variant, ...]
    budgets: tuple[Budget, ...]
    subsets: tuple[str, ...] = (EVERYTHING,)
    reference: str = "train"
    images: int = 5000
    seeds: tuple[int, ...] = (0, 1, 2)
    looks_for_copies: bool = False
    resolution: int = 32
    images_on_the_way: int = 0


# gammas as published for Stacked MNIST, the nearest to grey clothes
_LARGE = (
    "train.flip=false",
    "augment.operations=[]",
    *(f"loss.{key}_gamma={value}" for key, value in (("r1", 1), ("r2", 1), ("final_r1", 0.1), ("final_r2", 0.1))),
)

# the best of 2e-4 (as published), 5e-4, 1e-3 and 2e-3 after 24,000 images: benchmarks/RESULTS.md
_TUNED = ("optimizer.lr=5e-4", "optimizer.final_lr=5e-4")

EXPERIMENTS = {
    each.name: each
    for each in (
        Experiment(
            "fashion-mnist",
            "fashion-mnist",
            (
                Variant("ours", "fashion-mnist"),
                Variant("dcgan", "dcgan-32", ("network.conditional=false",)),  # as published but for the batch
                Variant("dcgan-conditional", "dcgan-32"),
                Variant("dcgan-tuned", "dcgan-32", _TUNED),
            ),
            (Budget(seconds=300.0),),
        ),
        Experiment(
            "fashion-mnist-gpu",
            "fashion-mnist",
            (Variant("large", "cifar10", _LARGE),),
            (Budget(seconds=600.0),),
            images=50_000,
            seeds=(0,),
            images_on_the_way=10_000,
        ),
        Experiment(
            "cifar10",
            "cifar10",
            (Variant("ours", "cifar10"),),
            (Budget(seconds=600.0), Budget(seconds=2400.0)),
            images=50_000,
            seeds=(0,),
            images_on_the_way=10_000,
        ),
        Experiment(
            "small-data",
            "fashion-mnist",
            (Variant("augmented", "small-data"), Variant("plain", "small-data", ("augment.operations=[]",))),
            (Budget(kimg=130.0),),
            subsets=(FEW, ONE_CLASS, RARE),
            reference="test",
            images=1000,
            seeds=(0,),
            looks_for_copies=True,
        ),
        Experiment(
            "few-shot",
            "cifar10",
            (
                Variant("few-shot", "few-shot-64"),
                Variant("small-data", "small-data", ("data.resolution=64", "network.widths=[256,128,64,32]")),
            ),
            (Budget(seconds=900.0),),
            subsets=(PHOTOGRAPHS,),
            reference="test",
            images=1000,
            seeds=(0,),
            looks_for_copies=True,
            resolution=64,
        ),
    )
}


@dataclass(frozen=True)
class Cell:
    """One training and its evaluation.

    Attributes:
        experiment: that it belongs to.
        subset: its training images.
        variant: its side.
        budget: its length.
        seed: of its training.
        overrides: of the command, on top of the variant's.
    """

    experiment: Experiment
    subset: str
    variant: Variant
    budget: Budget
    seed: int
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its folder."""
        subset = [self.subset] if len(self.experiment.subsets) > 1 else []
        asked = [hashlib.sha256("\n".join(self.overrides).encode()).hexdigest()[:6]] if self.overrides else []
        return "-".join(
            [self.experiment.name, *subset, self.variant.name, *asked, str(self.budget), f"seed{self.seed}"]
        )

    def config(self) -> Config:
        """Return its configuration but for the budget.

        Raises:
            ConfigError: an override is none.
        """
        whole = ["network.conditional=false"] if self.subset in (ONE_CLASS, PHOTOGRAPHS) else []
        overrides = [*self.variant.overrides, *self.overrides, *whole, f"train.seed={self.seed}"]
        return apply_overrides(preset(self.variant.preset), overrides)


def cells_of(
    experiment: Experiment,
    *,
    budgets: Sequence[Budget] = (),
    seeds: Sequence[int] = (),
    variants: Sequence[str] = (),
    subsets: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> list[Cell]:
    """Return the cells in the order in which they run: sides alternate, seeds come last.

    Args:
        experiment: whose.
        budgets: none for the experiment's own, as with the others.
        seeds: of the trainings.
        variants: names of those wanted.
        subsets: those wanted.
        overrides: on top of every variant's.

    Raises:
        ConfigError: the experiment has no such variant or subset.
    """
    sides = {each.name: each for each in experiment.variants}
    for what, wanted, known in (("variant", variants, [*sides]), ("subset", subsets, experiment.subsets)):
        for name in wanted:
            if name not in known:
                raise ConfigError(f"experiment {experiment.name} has no {what} «{name}»: name {' or '.join(known)}")
    return [
        Cell(experiment, subset, sides[side], budget, seed, tuple(overrides))
        for budget in budgets or experiment.budgets
        for seed in seeds or experiment.seeds
        for subset in subsets or experiment.subsets
        for side in variants or sides
    ]
