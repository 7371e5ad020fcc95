"""What PyTorch's compiler is told of our steps, and whether it works on this machine."""

import torch
from torch import Tensor

from gan.networks.grouped_conv import grouped_conv2d
from gan.objective.ada import sampled
from gan.text.shown import reason_of
from gan.training.context import TrainContext


def prepare_compiler() -> None:
    """Have this process compile steps whose gradients hold gradients, as an eager step computes them."""
    # the gradients of gradients are taken within the region that is compiled
    torch._dynamo.config.trace_autograd_ops = True
    # backward passes are in the precision of what they pass through, as in an eager step
    torch._functorch.config.backward_pass_autocast = "off"  # noqa: S105 - no password
    # what it traces of an autograd.Function it does not differentiate twice, in silence
    for function in (grouped_conv2d, sampled):
        torch.compiler.allow_in_graph(function)  # type: ignore[no-untyped-call]


def compiles_here(context: TrainContext) -> bool:
    """Compile a sum on every worker, and return whether all of them could; one that could not says why.

    A run may have been begun where there is a compiler, and be taken up where there is none. All workers must compute
    their steps alike, for those that are compiled send their gradients at other times.
    """
    lacking, why = torch.zeros(1, device=context.device), ""
    try:
        torch.compile(_sum)(lacking)
    except Exception as error:  # whatever the compilers under PyTorch raise
        why = compiler_error(error)
    lacking.fill_(float(bool(why)))
    context.all_reduce(lacking)
    if why:
        context.warn(not_compiled(why))
    return not lacking.item()


def compiler_error(error: BaseException) -> str:
    """Why something could not be compiled: the error that PyTorch's own are wrapped around, in a line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return reason_of(error)


def not_compiled(why: str) -> str:
    """Return the sentence of a worker that computes its steps without a compiler."""
    return (
        f"steps are not compiled, for that failed here ({why}): install a C compiler, or set train.compile=false and "
        "it is no longer tried"
    )


def _sum(number: Tensor) -> Tensor:
    return number + 1.0
