"""What an optimizer does with the summed gradients: its step, or none where they are not finite."""

import torch
from torch import Tensor, nn

from gan.configuration.schedules import StepSettings
from gan.networks.interface import trained


def apply_gradients(
    network: nn.Module,
    gradients: list[Tensor],
    optimizer: torch.optim.Optimizer,
    settings: StepSettings,
    spoilt: Tensor | None = None,
) -> Tensor:
    """Take the step, by gradients that are summed over all workers.

    If any gradient is not finite nothing is changed. Every rank has the same sum and so decides alike.

    Args:
        network: is changed.
        gradients: of its trained parameters.
        optimizer: its own.
        settings: of this step.
        spoilt: bool scalar, whether what came before in this step was not taken, and this is not to be either.

    Returns:
        bool scalar on the device: whether the step was not taken.
    """
    # the largest entry of each is finite exactly if all are
    bad = ~torch.isfinite(torch.stack(torch._foreach_norm(gradients, float("inf")))).all()
    if spoilt is not None:
        bad = bad | spoilt
    if seen(bad):
        return bad
    for parameter, gradient in zip(trained(network), gradients, strict=True):
        parameter.grad = _as_the_weight_lies(gradient, parameter)
    for group in optimizer.param_groups:
        group["lr"], group["betas"] = settings.lr, (group["betas"][0], settings.beta2)
    if bad.device.type == "cuda":  # read by a fused Adam, on the device
        optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
    optimizer.step()
    network.zero_grad(set_to_none=True)
    return bad


def seen(bad: Tensor) -> bool:
    """Whether a step is known not to have been taken: on a CPU, for a GPU is not waited for.

    A forecast's step is not looked at either: its tensors, of a type of their own, have no values.
    """
    return bad.device.type == "cpu" and type(bad) is Tensor and bool(bad)


def _as_the_weight_lies(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return a gradient with its weight's strides.

    A fused optimizer walks through memory, and second derivatives come in another order than the weights lie in. Of
    dimensions with one entry, as those of a 1x1 kernel, the stride says nothing, and nothing is moved.
    """
    strides = zip(gradient.stride(), weight.stride(), weight.shape, strict=True)
    if all(one == other or size == 1 for one, other, size in strides):
        return gradient.as_strided(weight.shape, weight.stride())
    return torch.empty_like(weight).copy_(gradient)
