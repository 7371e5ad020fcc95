"""Drawing in bfloat16: images that nobody can tell apart, sooner, on hardware that multiplies in it."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gan.generation.sampling import Program

LEAST_ALIKE = 0.999
"""Of the values of two sets of images: so many within one grey level make them one."""
MOST_LEVELS = 16
"""By which no value of an image may differ that was drawn in bfloat16, here and on another kind of processor."""


def in_bf16(exported: torch.export.ExportedProgram, device: torch.device) -> Program:
    """Return a program whose convolutions and matrix products run in bfloat16, and its noise as it is.

    Args:
        exported: on `device`; it is changed.
        device: a CPU or GPU.
    """
    # The graph asserts the types that it was exported with, of values that are now others.
    for node in exported.graph.nodes:
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            exported.graph.erase_node(node)
    exported.graph_module.recompile()
    module = exported.module()

    def program(rows: Tensor) -> Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            images: Tensor = module(rows)
        return images

    return program


def share_alike(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    """Return the share of values of two arrays of one shape that differ by one grey level at most."""
    return float(np.mean(_levels(a, b) <= 1))


def same_image(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8], *, bf16: bool) -> bool:
    """Whether an image [H, W, C] is another one, drawn again.

    Args:
        a: one.
        b: the other.
        bf16: whether both were drawn in bfloat16, which processors round to at different places: then a hundredth of
            the values may differ by up to `MOST_LEVELS`, and else none by more than one grey level.
    """
    levels = _levels(a, b)
    if not bf16:
        return bool(levels.max() <= 1)
    return bool(levels.max() <= MOST_LEVELS and np.mean(levels > 1) <= 10 * (1 - LEAST_ALIKE))


def _levels(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    levels: npt.NDArray[np.int16] = np.abs(a.astype(np.int16) - b)
    return levels
