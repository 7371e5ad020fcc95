"""How near an image is to another one beside what chance does: scores, and from which one on it is no chance."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_BEYOND_CHANCE = 1e-4
_LEAST_SCORE = 1e-6  # keeps the logarithm of a score finite


def score_threshold(chance: Array, level: float) -> float:
    """Return below which score an image is nearer to another one than chance brings it.

    The score of an image is its distance to the nearest other one beside that to the next ones, so that an image which
    is near to everything has none that is low. The threshold is the `level` quantile of the scores, after those are set
    aside that chance does not explain, and at most that of a Weibull distribution through the 10 % and 50 % points,
    which nearest neighbours of scattered points follow. With fewer than 1 / level scores it lies below their smallest
    by what that distribution says.

    Args:
        chance: scores [H] of images that are no copies, all but a few.
        level: share of honest images that may have a lower one, in (0, 0.1].
    """
    model = _model_quantile(chance, level)
    explained = chance[chance >= _model_quantile(chance, _BEYOND_CHANCE)]
    if not len(explained):  # all of them are copies themselves: chance cannot be told from them
        return model
    # below what so few images resolve, the model's slope goes on from the smallest score
    resolved = max(level, 1.0 / (len(explained) + 1))
    at_resolved = float(np.quantile(explained, resolved, method="lower"))
    return min(model, at_resolved * model / _model_quantile(chance, resolved))


def explained(scores: Array) -> Array:
    """Return the scores [N] without those that chance does not explain, again and again until all that is left is.

    Copies that are a twentieth of the images bend the distribution towards themselves, and are seen once the nearest of
    them are gone.
    """
    while len(scores):
        kept = scores[scores >= _model_quantile(scores, _BEYOND_CHANCE)]
        if len(kept) == len(scores):
            break
        scores = kept
    return scores


def _model_quantile(scores: Array, level: float) -> float:
    # in a Weibull distribution, log score is a line over log(-log(1 - level))
    low, middle, at = np.log(-np.log1p(-np.array([0.1, 0.5, level])))
    log_low, log_middle = np.log(np.quantile(scores, [0.1, 0.5]).clip(min=_LEAST_SCORE))
    return float(np.exp(log_low + (at - low) * (log_middle - log_low) / (middle - low)))
