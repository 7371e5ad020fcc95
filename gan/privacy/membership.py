"""Whether somebody who has the generated images alone can tell which images were trained on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gan.metrics.estimate import Estimate
from gan.metrics.ranks import auc
from gan.privacy.view import Vectors, View, halves

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Membership:
    """How well the attack does.

    Attributes:
        attack: chance that a training image is nearer to a generated one than a held out image is; 0.5 is guessing.
        control: the same attack, told to tell one half of the training images from the other.
        num_members: training images.
        num_others: held out images.
    """

    attack: Estimate
    control: Estimate
    num_members: int
    num_others: int


def membership_attack(view: View, *, seed: int = 0) -> Membership:
    """Attack: an image is taken for a member if it lies near a generated image.

    The interval is for drawing members and others anew, with the generated images as they are: what is judged are the
    images that are handed on. An attacker who knows more, such as the network's weights, does better; that this attack
    fails proves nothing. That it succeeds may also be because the holdout is of another kind than the training images,
    which the control does not see.

    Args:
        view: of the images.
        seed: of the halves of the control.

    Reference: Hayes et al., LOGAN: Membership Inference Attacks Against Generative Models, 2019; Chen et al.,
    GAN-Leaks: A Taxonomy of Membership Inference Attacks against Generative Models, 2020, section 4.2, the attack with
    nothing but generated images.
    """
    first, second = halves(view.training, seed)
    return Membership(
        attack=auc(_nearness(view, view.training), _nearness(view, view.holdout)),
        control=auc(_nearness(view, first), _nearness(view, second)),
        num_members=len(view.training),
        num_others=len(view.holdout),
    )


def _nearness(view: View, images: Vectors) -> Array:
    distances, _ = view.search(images, view.generated, 1)
    result: Array = -distances[:, 0].astype(np.float64)
    return result
