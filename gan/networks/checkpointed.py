"""Part of a network that keeps its input alone for backward passes, and computes the rest again in each of them.

PyTorch's own checkpoints do not help where gradients are differentiated: what the first backward pass computes again,
the graph of the gradient keeps for the second. So the gradient is a part of its own here, which keeps nothing but the
gradient that comes in, and is computed again when it is differentiated.

Reference: Chen, Xu, Zhang, Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016, section 3.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from gan.networks.grouped_conv import weights_wanted, without_weight_gradients

Found = tuple[Tensor | None, ...]


class _Part:
    """A module, and the precision in which it was called.

    Args:
        module: without buffers, and without chance.
        x: its input.
    """

    def __init__(self, module: nn.Module, x: Tensor) -> None:
        self.module = module
        self.names = [name for name, _ in module.named_parameters()]
        self.kind = x.device.type
        self.reduced = torch.is_autocast_enabled(self.kind)
        self.dtype = torch.get_autocast_dtype(self.kind)

    def __call__(self, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Compute it with other parameters in the place of its own, of whose gradients others are told."""
        # a cast of a weight that was kept without a graph must not come back where there is one
        with torch.autocast(self.kind, dtype=self.dtype, enabled=self.reduced, cache_enabled=False):
            found: Tensor = functional_call(self.module, dict(zip(self.names, parameters, strict=True)), (x,))
        return found

    def gradient(self, gy: Tensor, x: Tensor, parameters: Sequence[Tensor], *, all_wanted: bool, graph: bool) -> Found:
        """Return the gradients of <part(x), gy> by x, and by the parameters if all are wanted."""
        wanted = [x, *parameters] if all_wanted else [x]
        alone: AbstractContextManager[None] = nullcontext() if all_wanted else without_weight_gradients()
        with torch.enable_grad():
            y = self(x, parameters)
        with alone:
            return torch.autograd.grad(y, wanted, gy, create_graph=graph)


def _fresh(*tensors: Tensor) -> list[Tensor]:
    """The same values where no graph leads to."""
    return [each.detach().requires_grad_(True) for each in tensors]


class _Forward(torch.autograd.Function):
    """part(x)."""

    @staticmethod
    def forward(ctx: Any, part: _Part, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.part = part
        ctx.save_for_backward(x, *parameters)
        return part(x, parameters)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        all_wanted = weights_wanted() and any(ctx.needs_input_grad[2:])
        found = _Gradient.apply(ctx.part, all_wanted, gy, x, *parameters)  # type: ignore[no-untyped-call]
        return (None, *found, *([] if all_wanted else [None] * len(parameters)))


class _Gradient(torch.autograd.Function):
    """The gradients of part(x) as a function of gy, x and the parameters."""

    @staticmethod
    def forward(ctx: Any, part: _Part, all_wanted: bool, gy: Tensor, x: Tensor, *parameters: Tensor) -> Found:
        ctx.part, ctx.all_wanted = part, all_wanted
        ctx.save_for_backward(gy, x, *parameters)
        ctx.set_materialize_grads(False)
        own_x, *own = _fresh(x, *parameters)
        return part.gradient(gy, own_x, own, all_wanted=all_wanted, graph=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        wanted = [index for index, each in enumerate(cotangents) if each is not None]
        if not wanted:
            return (None,) * (2 + len(ctx.saved_tensors))
        gy, x, *parameters = _fresh(*ctx.saved_tensors)
        found = ctx.part.gradient(gy, x, parameters, all_wanted=ctx.all_wanted, graph=True)
        by = [gy, x, *parameters] if any(ctx.needs_input_grad[4:]) else [gy, x]
        with torch.enable_grad():
            back = torch.autograd.grad(
                [found[index] for index in wanted], by, [cotangents[index] for index in wanted], allow_unused=True
            )
        return (None, None, *back, *[None] * (2 + len(parameters) - len(by)))


def checkpointed(module: nn.Module, x: Tensor) -> Tensor:
    """Return module(x), of which nothing is kept but x; twice differentiable by x and the module's parameters.

    Args:
        module: of parameters alone: no buffers, nothing drawn.
        x: any floating tensor.
    """
    found: Tensor = _Forward.apply(_Part(module, x), x, *module.parameters())  # type: ignore[no-untyped-call]
    return found
