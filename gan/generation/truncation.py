"""Truncation: images that lie nearer to the mean of their class than a generator draws them, at a cost in variety.

The networks here have no mapping network. Their first layer is linear, without bias, in z and the class embedding side
by side, so that the mean of its output w over all z is what the embedding of the class gives alone, mean_c. Hence
`w_psi = mean_c + psi (w - mean_c)` is what the layer makes of psi z, with the embedding as it is.

A registered program maps (seed, label) to pixels and has no such input. So the network is built anew around the
program's own weights, compared with it, and exported once more; nothing that the program's file brings is run but its
graph, which is how every registered program is drawn from.

Reference: Karras, Laine, Aila, "A Style-Based Generator Architecture for Generative Adversarial Networks", CVPR 2019,
appendix B.
"""

import io
from typing import TYPE_CHECKING

import torch

from gan.errors import TruncationError
from gan.generation.export import SeededGenerator, export_program
from gan.generation.onnx_file import check_rows
from gan.generation.program_file import load_exported
from gan.networks.build import rebuild_generator

if TYPE_CHECKING:
    from gan.configuration.config import NetworkConfig

_WITHIN = "G."  # how `SeededGenerator` names what it holds


@torch.no_grad()
def truncated_program(content: bytes, name: str, network: "NetworkConfig", *, num_classes: int, psi: float) -> bytes:
    """Return the file of a program that draws as another one does, truncated.

    Args:
        content: of the file of the program, which may come from anyone.
        name: what it is called in a sentence.
        network: what it was exported from.
        num_classes: classes, 0 for an unconditional program.
        psi: in (0, 1): how far from the mean of its class an image lies, of how far it would.

    Returns:
        A file for `load_program_bytes`, with the same input and output.

    Raises:
        UnsafeModelError: the file is damaged, or holds more than the tensors and the graph of a generator.
        TruncationError: the network with these weights draws other images than the program.
    """
    exported = load_exported(content, name)
    program, rows = exported.module(), check_rows(num_classes)
    state = {key.removeprefix(_WITHIN): value for key, value in exported.state_dict.items()}
    try:
        registered = program(rows)
        generator = rebuild_generator(network, state, channels=registered.shape[-1], num_classes=num_classes)
        rebuilt = SeededGenerator(generator)(rows)
        apart = int((rebuilt.int() - registered.int()).abs().max())
    except (ValueError, RuntimeError, IndexError) as error:
        raise _refusal(name, str(error)) from None
    if apart > 1:  # of another network of the same sizes, say
        raise _refusal(name, f"it draws images that differ by up to {apart} grey levels")
    file = io.BytesIO()
    torch.export.save(export_program(SeededGenerator(generator, psi)), file)
    return file.getvalue()


def _refusal(name: str, reason: str) -> TruncationError:
    return TruncationError(
        f"{name} cannot be truncated, for its network cannot be built anew from configuration and weights ({reason}): "
        "draw with release.truncation 1, or register its training run again"
    )
