"""Values that change over a run's image budget."""

import math


def total_images(total_kimg: float, batch_size: int) -> int:
    """Images after which a run of `total_kimg` thousand images ends: rounded up to whole batches, at least one."""
    return math.ceil(total_kimg * 1000 / batch_size) * batch_size


def cosine(start: float, end: float, cur_nimg: int, total_nimg: int) -> float:
    """Half a cosine from `start` at image 0 to `end` at image `total_nimg`, constant afterwards.

    Args:
        start: value at the beginning.
        end: value at the end.
        cur_nimg: images seen.
        total_nimg: images in the run.

    Reference: Loshchilov and Hutter, "SGDR", ICLR 2017, equation (5) without restarts.
    """
    progress = min(cur_nimg / total_nimg, 1.0)
    return end + 0.5 * (start - end) * (1.0 + math.cos(math.pi * progress))


def ema_decay(batch_size: int, halflife_kimg: float, cur_nimg: int) -> float:
    """Decay of G_ema for one step of `batch_size` images.

    The half-life is at most a tenth of the images seen, so that the average forgets the random start.

    Args:
        batch_size: images in the step.
        halflife_kimg: half-life, in thousands of images.
        cur_nimg: images seen before the step.

    Returns:
        A factor in [0, 1): G_ema = decay * G_ema + (1 - decay) * G.

    Reference: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, appendix B.
    """
    halflife_nimg = min(halflife_kimg * 1000.0, (cur_nimg + batch_size) * 0.1)
    return float(0.5 ** (batch_size / halflife_nimg))
