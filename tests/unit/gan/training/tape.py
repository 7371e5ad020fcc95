"""A recorder as CUDA graphs are one, on a CPU: what was recorded runs again with its numbers of then, in its memory."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

READS = {"_local_scalar_dense", "nonzero", "masked_select", "equal"}
"""Operations whose answer the host reads: none may be in a recording."""


class Tape(TorchDispatchMode):
    """Keeps every operation with its arguments, and the tensors that it gave."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.reads = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        if func._overloadpacket.__name__ in READS:
            self.reads.append(func)
        if not func.is_view:
            self.calls.append((func, args, kwargs, found))
        return found

    @torch.no_grad()
    def replay(self):
        """Compute everything once more, into the same memory, and unseen by autograd, as a GPU does."""
        for func, args, kwargs, found in self.calls:
            tensors = tuple(each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor))
            with torch.autograd._unsafe_preserve_version_counter(tensors):
                again = func(*args, **kwargs)
            for old, new in zip(tree_flatten(found)[0], tree_flatten(again)[0], strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.data.copy_(new)


class TapeRecorder:
    """`gan.training.graphs.Recorder` on a CPU.

    A CPU computes what is recorded: what it changed is undone then, and all that it gave is made to nonsense.

    Args:
        watched: tensors that recordings may change in place.
    """

    def __init__(self, watched):
        self.watched = watched
        self.tapes = []

    def warm(self, compute):
        return compute()

    def record(self, compute):
        before = [each.detach().clone() for each in self.watched]
        with Tape() as tape:
            found = compute()
        assert not tape.reads
        self.tapes.append(tape)
        with torch.no_grad():
            for func, _, _, given in tape.calls:
                for each in tree_flatten(given)[0]:
                    if isinstance(each, torch.Tensor) and each.is_floating_point() and not func._schema.is_mutable:
                        each.data.fill_(float("nan"))
            for each, value in zip(self.watched, before, strict=True):
                each.data.copy_(value)
        return found, tape.replay
