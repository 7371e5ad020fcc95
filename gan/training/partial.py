"""A run that begins with what fits of another run's networks: from another resolution, or other classes.

Reference: for stages of the discriminator that keep what they were given: Mo, Cho, Shin, "Freeze the Discriminator: a
Simple Baseline for Fine-Tuning GANs", 2020, section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gan.networks.interface import Discriminator

_NAMED = 3
"""New tensors that a sentence names."""


@dataclass(frozen=True)
class Fit:
    """What of a network another run's tensors fit.

    Attributes:
        taken: names of parameters that they are.
        new: names of those that begin at random.
    """

    taken: tuple[str, ...]
    new: tuple[str, ...]

    def told(self, name: str) -> str:
        """Return it in words; `name` is the network's."""
        all_of_them = len(self.taken) + len(self.new)
        if not self.new:
            return f"{name}: all {all_of_them}"
        named = ", ".join(self.new[:_NAMED]) + (", …" if len(self.new) > _NAMED else "")
        return f"{name}: {len(self.taken)} of {all_of_them}, new are {named}"


def take_fitting(network: nn.Module, tensors: Any) -> Fit:
    """Give a network those tensors of another run's that have the same name and shape.

    Lists of layers that begin at the image (`Discriminator.from_the_image`) are matched from their other end: a
    discriminator for more pixels has further stages before those that there were.

    Args:
        network: changed in place; what does not fit stays as it is.
        tensors: should be those of a state dict, by name.
    """
    there = {name: value for name, value in tensors.items() if isinstance(value, Tensor)} if _named(tensors) else {}
    own = network.state_dict()
    lists = getattr(network, "from_the_image", ())
    further = {name: _length(there, name) - _length(own, name) for name in lists}
    found = {}
    for name, value in own.items():
        other = there.get(_counted(name, further))
        if other is not None and other.shape == value.shape:
            found[name] = other
    network.load_state_dict(found, strict=False)
    names = [name for name, _ in network.named_parameters()]
    return Fit(tuple(name for name in names if name in found), tuple(name for name in names if name not in found))


def freeze_stages(D: Discriminator, count: int) -> None:
    """Let the first stages of a discriminator, from the image on, learn nothing."""
    for stage in D.by_stages()[:count]:
        for layer in stage:
            layer.requires_grad_(False)


def _named(tensors: Any) -> bool:
    return isinstance(tensors, Mapping)


def _length(names: Mapping[str, Any], of_list: str) -> int:
    """How many layers a list has; the highest number, for some have no tensors."""
    numbers = [name.split(".")[1] for name in names if name.startswith(f"{of_list}.")]
    return 1 + max((int(number) for number in numbers if number.isdigit()), default=-1)


def _counted(name: str, further: Mapping[str, int]) -> str:
    """Return the name that a tensor has in the other network."""
    of_list, _, rest = name.partition(".")
    if of_list not in further:
        return name
    number, _, rest = rest.partition(".")
    return f"{of_list}.{int(number) + further[of_list]}.{rest}"
