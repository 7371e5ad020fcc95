"""What a configuration costs, found on the meta device: shapes alone, so the largest network takes no memory."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gan.losses import LOSSES
from gan.networks.build import build_discriminator, build_generator
from gan.networks.interface import Discriminator, Generator
from gan.penalties import squared_gradient_norms

if TYPE_CHECKING:  # any object with its attributes will do, where pydantic is not installed
    from gan.config import Config

FP32_BYTES = 4
G_COPIES = 5
"""Parameters, gradients, Adam's two moments, G_ema."""
D_COPIES = 4
"""The same without an average."""


@dataclass(frozen=True)
class NetworkCost:
    """What two networks and their training cost.

    A multiplication and an addition are two operations. Those of convolutions and matrix products are counted; the
    others are few beside them.

    Attributes:
        generator_parameters: numbers that G learns.
        discriminator_parameters: numbers that D learns.
        generator_flops: operations for one image, forward.
        discriminator_flops: operations for one image, forward.
        training_flops: operations for one image of the run's budget: D on it and on a fake one, G, and G's phase and
            the penalties by their share of the steps.
        training_bytes: parameters, gradients, Adam's moments, G_ema, and what the largest phase keeps for its backward
            pass, in float32, with the whole batch on one worker. PyTorch itself, its kernels' scratch memory and the
            dataset come on top.
    """

    generator_parameters: int
    discriminator_parameters: int
    generator_flops: int
    discriminator_flops: int
    training_flops: int
    training_bytes: int


def network_cost(config: "Config", channels: int, num_classes: int) -> NetworkCost:
    """Return what training a configuration costs; nothing is computed but shapes.

    Args:
        config: the configuration; its sections network, loss and train are read.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for unconditional networks.
    """
    with torch.device("meta"), _CalledCpu():
        G = build_generator(config.network, channels=channels, num_classes=num_classes)
        D = build_discriminator(config.network, channels=channels, num_classes=num_classes)
        kept, generator_flops, discriminator_flops = _through(config, G, D)
    in_G, in_D = _parameters(G), _parameters(D)
    return NetworkCost(
        generator_parameters=in_G,
        discriminator_parameters=in_D,
        generator_flops=generator_flops,
        discriminator_flops=discriminator_flops,
        training_flops=_training_flops(config, generator_flops, discriminator_flops),
        training_bytes=FP32_BYTES * (G_COPIES * in_G + D_COPIES * in_D) + kept,
    )


def _through(config: "Config", G: Generator, D: Discriminator) -> tuple[int, int, int]:
    """Bytes kept where a step keeps most, and operations of G and D for an image.

    That is at the end of D's phase, while the graph of G still waits for its own: G's phase has half of the images.
    """
    batch, loss = config.train.batch_size, config.loss
    with _keeping((*G.parameters(), *D.parameters())) as kept:
        with _Operations() as of_G:
            fake_images = G(torch.empty(batch, G.latent_dim), _integers(batch))
        images = torch.empty_like(torch.cat([fake_images, fake_images])).requires_grad_(loss.zero_centred)
        with _Operations() as of_D:
            logits = D(images, _integers(2 * batch), _integers(2 * batch))
        if loss.zero_centred:
            squared_gradient_norms(logits, images)
        if loss.gradient_penalty > 0:
            points = torch.empty_like(fake_images).requires_grad_(True)
            squared_gradient_norms(D(points, _integers(batch), _integers(batch)), points)
    return sum(storage.nbytes() for storage in kept), of_G.count // batch, of_D.count // (2 * batch)


@contextmanager
def _keeping(weights: Iterable[Tensor]) -> Iterator[Collection[torch.UntypedStorage]]:
    """Collect what autograd keeps for backward passes: each storage once, and no weights."""
    known = {weight.untyped_storage()._cdata for weight in weights}
    kept: dict[int, torch.UntypedStorage] = {}  # holds them, so that no address is given away twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept.values()


def _training_flops(config: "Config", of_G: int, of_D: int) -> int:
    """Operations per image of a step, from those of one image forward.

    Every product of a forward pass comes twice again in the backward pass: for the weights, and for the inputs. A
    penalty takes the gradient by the image first, and its own backward pass goes through that gradient as well. The
    few products that are not needed, at the ends of the networks, are counted all the same.
    """
    loss = config.loss
    forward, backward, penalty = 1, 2, 3
    pair = 2 * (forward + backward) * of_D
    penalties = 2 * penalty * loss.zero_centred + (forward + backward + penalty) * (loss.gradient_penalty > 0)
    # in G's phase D does not learn: fake images go forth and back, real ones forth if the loss is one of pairs
    for_G = backward * of_G + (2 + LOSSES[loss.kind].paired) * of_D
    return round(forward * of_G + pair + penalties * of_D / loss.penalty_every + for_G / config.train.generator_every)


class _Operations(TorchDispatchMode):
    """Counts operations by PyTorch's formulas; its own counter stumbles over gradients that pass through modules."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if formula := flop_registry.get(func._overloadpacket):
            self.count += formula(*args, **kwargs, out_val=result)
        return result


class _CalledCpu(TorchFunctionMode):
    """Lets meta tensors say that they are on the CPU: networks ask for autocast by device, and meta has none."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func == torch.Tensor.device.__get__:
            return torch.device("cpu")
        kwargs = kwargs or {}
        return func(*args, **(kwargs | {"device": "meta"} if kwargs.get("device") else kwargs))


def _integers(count: int) -> Tensor:
    return torch.empty(count, dtype=torch.int64)


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
