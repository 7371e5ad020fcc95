"""The cost of networks that are really built: on the meta device, where tensors have shapes alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gan.configuration.schedules import has_r1, has_r2
from gan.networks.build import build_discriminator, build_generator
from gan.networks.efficientnet import FrozenFeatures
from gan.networks.projected import RandomMixing
from gan.networks.resampling import Downsample2, Upsample2
from gan.objective.penalties import squared_gradient_norms


class Operations(TorchDispatchMode):
    """Counts operations by PyTorch's formulas; its own counter stumbles over gradients that pass through modules."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if formula := flop_registry.get(func._overloadpacket):
            self.count += formula(*args, **kwargs, out_val=result)
        return result


class CalledCpu(TorchFunctionMode):
    """Lets meta tensors say that they are on the CPU: networks ask for autocast by device, and meta has none."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func == torch.Tensor.device.__get__:
            return torch.device("cpu")
        kwargs = kwargs or {}
        return func(*args, **(kwargs | {"device": "meta"} if kwargs.get("device") else kwargs))


@contextmanager
def keeping(*networks: nn.Module) -> Iterator[dict[int, torch.UntypedStorage]]:
    """Collect what autograd keeps for backward passes: each storage once, and no weights nor kernels."""
    weights = [weight for network in networks for weight in network.parameters()]
    fixed = Downsample2 | Upsample2 | FrozenFeatures | RandomMixing
    parts = [part for network in networks for part in network.modules() if isinstance(part, fixed)]
    kernels = [kernel for part in parts for kernel in part.buffers()]
    known = {tensor.untyped_storage()._cdata for tensor in (*weights, *kernels)}
    kept: dict[int, torch.UntypedStorage] = {}  # holds them, so that no address is given away twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


@pytest.fixture(scope="session")
def features(few_shot_extra):
    """The features of the projected discriminator; their file is read here, and so not amid tensors without memory."""
    return FrozenFeatures()


def size(kept: dict[int, torch.UntypedStorage]) -> int:
    return sum(storage.nbytes() for storage in kept.values())


def integers(count: int) -> Tensor:
    return torch.empty(count, dtype=torch.int64)


@pytest.fixture(scope="session")
def built():
    """From a configuration, channels and classes to: parameters and operations of G and D, bytes kept at their most."""

    def measure(config, channels, num_classes):
        batch, loss = config.train.batch_size, config.loss
        sloped = [has_r1(loss), has_r2(loss)]
        passes = sloped if sloped[0] != sloped[1] else sloped[:1]  # with one penalty alone two, one else
        held = []  # graphs, until all is counted
        with torch.device("meta"), CalledCpu():
            G = build_generator(config.network, channels=channels, num_classes=num_classes)
            D = build_discriminator(config.network, channels=channels, num_classes=num_classes).to("meta")
            with keeping(G, D) as kept:
                with Operations() as of_G:
                    fake_images = G(torch.empty(batch, G.latent_dim), integers(batch))
                in_G = size(kept)
                seen, operations_of_D = 2 * batch // len(passes), 0
                for penalised in passes:
                    images = torch.empty_like(fake_images).repeat(seen // batch, 1, 1, 1).requires_grad_(penalised)
                    with Operations() as of_D:
                        logits = D(images, integers(seen), integers(seen))
                    operations_of_D += of_D.count
                    if penalised:
                        held.append(squared_gradient_norms(logits, images))
                    held.append(logits)
                if loss.gradient_penalty > 0:
                    points = torch.empty_like(fake_images).requires_grad_(True)
                    squared_gradient_norms(D(points, integers(batch), integers(batch)), points)
            in_phase_of_D = size(kept) - in_G
            D.requires_grad_(False)
            with keeping(D) as kept:
                held.append(D(torch.empty_like(fake_images).requires_grad_(), integers(batch), integers(batch)))
        parameters = [sum(weight.numel() for weight in network.parameters()) for network in (G, D)]
        operations = [of_G.count / batch, operations_of_D / (2 * batch)]
        return (*parameters, *operations, in_G + max(in_phase_of_D, size(kept)))

    return measure
