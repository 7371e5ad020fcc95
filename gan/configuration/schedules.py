"""Values that change over a run's image budget."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gan.configuration.vocabulary import Precision

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.configuration.config import Config, LossConfig


def total_images(total_kimg: float, batch_size: int) -> int:
    """Images after which a run of `total_kimg` thousand images ends: rounded up to whole batches, at least one."""
    return math.ceil(total_kimg * 1000 / batch_size) * batch_size


def cosine(start: float, end: float | None, cur_nimg: int, total_nimg: int) -> float:
    """Half a cosine from `start` at image 0 to `end` at image `total_nimg`, constant afterwards.

    Args:
        start: value at the beginning.
        end: value at the end; None: as at the beginning.
        cur_nimg: images seen.
        total_nimg: images in the run.

    Reference: Loshchilov and Hutter, "SGDR", ICLR 2017, equation (5) without restarts.
    """
    if end is None:
        return start
    progress = min(cur_nimg / total_nimg, 1.0)
    return end + 0.5 * (start - end) * (1.0 + math.cos(math.pi * progress))


def ema_decay(batch_size: int, halflife_kimg: float | None, cur_nimg: int, rampup: float | None) -> float:
    """Decay of G_ema for one step of `batch_size` images.

    Args:
        batch_size: images in the step.
        halflife_kimg: half-life, in thousands of images; 0 for no memory, None for what `rampup` says alone.
        cur_nimg: images seen before the step.
        rampup: share of the images seen that the half-life is at most, so that the average forgets the random start;
            None: no limit.

    Returns:
        A factor in [0, 1): G_ema = decay * G_ema + (1 - decay) * G.

    Reference: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, appendix B; the limit:
    `ema_rampup` of the code of Karras et al., "Training Generative Adversarial Networks with Limited Data", 2020.
    """
    halflife_nimg = math.inf if halflife_kimg is None else halflife_kimg * 1000.0
    if rampup is not None:
        halflife_nimg = min(halflife_nimg, (cur_nimg + batch_size) * rampup)
    return float(0.5 ** (batch_size / halflife_nimg)) if halflife_nimg else 0.0


def has_r1(loss: "LossConfig") -> bool:
    """Whether there is a penalty R1, on real images, at any time of the run."""
    return any((loss.r1_gamma, loss.final_r1_gamma))


def has_r2(loss: "LossConfig") -> bool:
    """Whether there is a penalty R2, on fake images, at any time of the run."""
    return any((loss.r2_gamma, loss.final_r2_gamma))


def penalised(loss: "LossConfig") -> bool:
    """Whether there is any penalty at any time of the run."""
    return has_r1(loss) or has_r2(loss) or loss.gradient_penalty > 0


@dataclass(frozen=True)
class StepSettings:
    """Values that hold for one step.

    Attributes:
        batch_size: images in the global batch; sums of losses are divided by it.
        r1_gamma: weight of the penalty on real images.
        r2_gamma: weight of the penalty on fake images.
        gradient_penalty: weight of the penalty between them.
        penalised: whether this step computes the penalties.
        penalty_scale: factor of their weights, for the steps that go without.
        generator_too: whether this step trains the generator.
        augment_probability: of each operation for each image.
        lr: learning rate of both optimizers.
        beta2: decay of Adam's second moment.
        ema_decay: decay of G_ema.
        accumulate: pieces in which a worker computes its slice.
        reduce_precision: in which gradients go from worker to worker.
        most_bad_steps: that are skipped in a row before the run ends.
    """

    batch_size: int
    r1_gamma: float
    r2_gamma: float
    gradient_penalty: float
    penalised: bool
    penalty_scale: float
    generator_too: bool
    augment_probability: float
    lr: float
    beta2: float
    ema_decay: float
    accumulate: int = 1
    reduce_precision: Precision = "fp32"
    most_bad_steps: int = 0


def step_settings(config: "Config", cur_nimg: int) -> StepSettings:
    """Return the schedules' values at an image count."""
    train, loss, augment, optimizer = config.train, config.loss, config.augment, config.optimizer
    total = total_images(train.total_kimg, train.batch_size)
    step = cur_nimg // train.batch_size

    def at(start: float, end: float | None) -> float:
        return cosine(start, end, cur_nimg, total)

    return StepSettings(
        batch_size=train.batch_size,
        r1_gamma=at(loss.r1_gamma, loss.final_r1_gamma),
        r2_gamma=at(loss.r2_gamma, loss.final_r2_gamma),
        gradient_penalty=loss.gradient_penalty,
        penalised=penalised(loss) and step % loss.penalty_every == 0,
        penalty_scale=float(loss.penalty_every),
        generator_too=(step + 1) % train.generator_every == 0,
        augment_probability=at(augment.probability, augment.final_probability),
        lr=at(optimizer.lr, optimizer.final_lr),
        beta2=at(optimizer.beta2, optimizer.final_beta2),
        ema_decay=ema_decay(
            train.batch_size * train.generator_every,
            None if train.ema_halflife_kimg is None else at(train.ema_halflife_kimg, train.final_ema_halflife_kimg),
            cur_nimg,
            train.ema_rampup,
        ),
        accumulate=train.accumulate,
        reduce_precision=train.reduce_precision,
        most_bad_steps=train.most_bad_steps,
    )
