"""How stages make a resolution."""

from typing import Literal

Architecture = Literal["r3gan", "dcgan", "projected"]


def resolution_of(architecture: Architecture, stages: int, *, base: int, patch: int) -> int:
    """Side in pixels of the images of a network.

    Args:
        architecture: R3GAN's last stage has the image's resolution, over `patch`; DCGAN's has half of it, that of
            `projected` all of it.
        stages: number of stages; every one after the first doubles the resolution.
        base: side of the first stage, 4 or 7.
        patch: side of the pixel patches at the image end, 1 but in R3GAN.
    """
    return int(base * 2**stages if architecture == "dcgan" else base * 2 ** (stages - 1) * patch)
